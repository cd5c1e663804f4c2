"""Debian's or the machine's own Chromium, headless: Playwright's download is not used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Milliseconds for what a crowded machine shows late.
PATIENCE: Final = 60_000
Scheme = Literal["light", "dark"]


def executable() -> str:
    """Chromium's path. Skips where there is none; fails in CI."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium on PATH")
    pytest.skip("needs Chromium on PATH")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile; ended afterwards."""
    quiet = ["--disable-gpu", "--no-proxy-server", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable(), args=quiet, chromium_sandbox=False
        )
        with started:
            yield started


@contextmanager
def page(
    started: Browser, *, width: int, height: int, scheme: Scheme = "light", script: bool = True
) -> Iterator[Page]:
    """An empty page; what its console complains of while it is used fails the test."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.text} {message.location}")

    context = started.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        is_mobile=width < 600,
        java_script_enabled=script,
    )
    with context:
        context.set_default_timeout(PATIENCE)
        opened = context.new_page()
        opened.on("console", hear)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
    assert complaints == []
