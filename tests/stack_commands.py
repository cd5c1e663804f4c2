"""The commands of the local stack, as they read in a container."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from functools import cache
from pathlib import Path
from unittest.mock import patch

from gamemetrics.stack.applications import launches, migrate
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.run_state import RunState


@cache
def in_a_container() -> dict[str, list[str]]:
    """By process: the image's python, and every interface instead of this machine's own."""
    environment = Environment(
        layout=Layout(root=Path("/nowhere")),
        state=RunState(ports=Ports()),
        credentials=Credentials(
            **{field.name: field.name for field in dataclasses.fields(Credentials)}
        ),
    )
    commands = {name: list(launch.argv) for name, launch in launches(environment).items()}
    done = subprocess.CompletedProcess[str](args=[], returncode=0)
    with patch.object(subprocess, "run", return_value=done) as run:
        migrate(environment)
    commands["migrate"] = run.call_args.args[0]
    return {name: [_translated(argument) for argument in argv] for name, argv in commands.items()}


def _translated(argument: str) -> str:
    if argument == sys.executable:
        return "python"
    return argument.replace(HOST, "0.0.0.0")
