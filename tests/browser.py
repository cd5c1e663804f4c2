"""A headless Chromium, driven by its own protocol over a pipe: no package is needed for it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Seconds for an answer of the browser.
PATIENCE: Final = 60.0


class PageFailed(AssertionError):
    """The page threw, or the browser refused a command."""


class Browser:
    """The process and its pipe; one page at a time."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader = reader
        self._writer = writer
        self._rest = b""
        self._number = 0
        self._session = ""
        self._target = ""
        self.said: list[dict[str, Any]] = []  # what the page's console and network told

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer. Raises PageFailed."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise PageFailed(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.said.append(answer)

    def open(self, address: str, *, width: int, height: int, **features: str) -> None:
        """Show the address in a new page; `features` as prefers_color_scheme="dark"."""
        self._session = ""
        if self._target:
            # A page keeps its stream open, and a browser opens six connections to a host.
            self.call("Target.closeTarget", targetId=self._target)
        self._target = str(self.call("Target.createTarget", url="about:blank")["targetId"])
        attached = self.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        self.said.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
            ],
        )
        self.navigate(address)

    def navigate(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def script(self, enabled: bool) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=not enabled)

    def value(self, expression: str) -> Any:
        """What the expression is in the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise PageFailed(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def until(self, expression: str, *, seconds: float = PATIENCE) -> Any:
        """The expression's first truthy value."""
        deadline = time.monotonic() + seconds
        while not (found := self.value(expression)):
            if time.monotonic() > deadline:
                raise PageFailed(f"not within {seconds:g} s: {expression}; last: {found!r}")
            time.sleep(0.02)
        return found

    def picture(self, path: Path) -> None:
        """A PNG of what is in the window."""
        taken = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(taken["data"]))

    def complaints(self) -> list[str]:
        """Errors that the page or its policy caused, as the console shows them."""
        found = []
        for told in self.said:
            parameters = told.get("params", {})
            if told.get("method") == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif told.get("method") == "Log.entryAdded":
                entry = parameters["entry"]
                if entry["level"] in {"error", "warning"}:
                    found.append(f"{entry['text']} {entry.get('url', '')}")
        return found

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reader], [], [], PATIENCE)
            if not ready:
                raise PageFailed("the browser does not answer")
            got = os.read(self._reader, 1 << 16)
            if not got:
                raise PageFailed("the browser has ended")
            self._rest += got
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


def executable() -> str:
    """Chromium's path. Skips where there is none; fails in CI."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium on PATH")
    pytest.skip("needs Chromium on PATH")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile; ended afterwards."""
    command = [
        executable(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox",
        "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
        "--no-proxy-server", "--disable-background-networking", f"--user-data-dir={profile}",
    ]  # fmt: skip
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()
    # Chromium reads descriptor 3 and writes 4: shell redirection puts them there.
    redirected = f'exec "$@" 3<&{commands_out} 4>&{answers_in}'
    process = subprocess.Popen(
        ["bash", "-c", redirected, "bash", *command],
        pass_fds=(commands_out, answers_in),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands_out)
    os.close(answers_in)
    driven = Browser(answers_out, commands_in)
    try:
        yield driven
    finally:
        with contextlib.suppress(PageFailed, OSError):
            driven._session = ""
            driven.call("Browser.close")
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(commands_in)
        os.close(answers_out)
