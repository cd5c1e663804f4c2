"""Pods without a cluster: each container's command and environment, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.ports import HOST
from tests.acceptance.waiting import until
from tests.manifests import Pod


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningPod:
    """The process of a container, and the port on which it is probed."""

    name: str
    pod: Pod
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def probe(self, kind: str) -> int:
        """The status that the kubelet would get, calling the pod by its address; 0 for none."""
        path = self.pod.container[kind]["httpGet"]["path"]
        try:
            return httpx.get(f"http://{HOST}:{self.port}{path}", timeout=10).status_code
        except httpx.TransportError:
            return 0

    def becomes(self, kind: str) -> None:
        """Waits until the probe succeeds. Fails where the process ends before."""

        def succeeds() -> bool:
            assert self.process.poll() is None, f"{self.name} ended:\n{self.tail()}"
            return self.probe(kind) == 200

        until(succeeds, f"{self.name}: {kind}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """Starts pods: the base's own environment, but for where the servers of this run are."""

    home: Path
    secrets: Mapping[str, str]
    # Instead of the base's ConfigMap: addresses, and no TLS.
    settings: Mapping[str, str]
    running: dict[str, RunningPod] = field(default_factory=dict)

    def mount(self) -> None:
        """Writes the Secret's files."""
        for key, value in self.secrets.items():
            (self.home / key).write_text(value)

    def start(self, name: str, port: int) -> RunningPod:
        pod = Pod.of(name)
        log = self.home / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._argv(pod, port),
                env=self.environ(pod, port),
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = RunningPod(name=name, pod=pod, port=port, process=process, log=log)
        return self.running[name]

    def environ(self, pod: Pod, port: int) -> dict[str, str]:
        given = {name: self._where_mounted(pod, value) for name, value in pod.given.items()}
        given |= {name: value for name, value in self.settings.items() if name in given}
        given |= {name: self.secrets[key] for name, (_, key) in pod.referenced.items()}
        given["METRICS_PORT"] = str(port)
        if "POD_IP" in given:
            given["POD_IP"] = HOST
            hosts = f"{self.settings['ALLOWED_HOSTS']},{HOST}"
            given |= {"PUBLIC_HOSTS": self.settings["ALLOWED_HOSTS"], "ALLOWED_HOSTS": hosts}
        # Of the image.
        return {**given, "PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONUNBUFFERED": "1"}

    def _where_mounted(self, pod: Pod, value: str) -> str:
        key = pod.secret_files.get(value)
        return str(self.home / key) if key else value

    def _argv(self, pod: Pod, port: int) -> list[str]:
        replaced = {"python": sys.executable, "0.0.0.0": HOST, "8080": str(port)}
        replaced |= {"--address=0.0.0.0": f"--address={HOST}", "--port=5555": f"--port={port}"}
        return [replaced.get(argument, argument) for argument in pod.container["args"]]

    def stop(self) -> dict[str, int]:
        """Ends all pods as the kubelet does; by name, how each ended."""
        with ExitStack() as killed:
            for pod in self.running.values():
                killed.callback(_kill_group, pod.process)
                pod.process.send_signal(signal.SIGTERM)
            return {
                name: pod.process.wait(pod.pod.spec["terminationGracePeriodSeconds"])
                for name, pod in self.running.items()
            }


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of a pod; the session's group outlives its leader."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait(10)
