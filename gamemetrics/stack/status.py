"""`status`: which processes of the stack run, and whether it takes events."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.programs import PROGRAMS
from gamemetrics.stack.run_state import RunState
from gamemetrics.stack.supervision import ProcessState, Supervisor
from gamemetrics.stack.up import readiness

ALL_RUN, NOT_ALL_RUN, STOPPED = 0, 1, 3
COLOURS: Mapping[str, str] = {"RUNNING": "green", "STARTING": "yellow", "STOPPED": "dim"}


def status(layout: Layout, console: Console) -> int:
    """Prints the table; 0 if all run, 1 if not, 3 if the stack is stopped (as systemd's do)."""
    state = RunState.recall(layout)
    supervisor = Supervisor(layout=layout)
    if state is None or not supervisor.answers():
        lost = " (its supervisor is gone: `make up` restarts it)" if state else ""
        console.print(f"stopped{lost}", highlight=False)
        return NOT_ALL_RUN if state else STOPPED
    states = supervisor.states()
    table = Table(box=None, pad_edge=False)
    for column in ("name", "state", "pid", "uptime", "port", "log"):
        table.add_column(column, justify="right" if column in {"pid", "uptime"} else "left")
    shown = [
        program.name
        for program in PROGRAMS
        if not (program.name == "kafka" and state.kafka_is_given)
    ]
    for name in shown:
        table.add_row(*_row(states[name], state, layout))
    console.print(table)
    environment = Environment(layout=layout, state=state, credentials=Credentials.of(layout))
    ready, told = readiness(environment.ready_url)
    console.print(f"\n{environment.ready_url}: {told}", highlight=False, soft_wrap=True)
    return ALL_RUN if ready and all(states[name].pid for name in shown) else NOT_ALL_RUN


def _row(process: ProcessState, state: RunState, layout: Layout) -> list[str]:
    ports = "  ".join(str(port) for port in state.ports.of(process.name).values())
    colour = COLOURS.get(process.state, "red")
    return [
        process.name,
        f"[{colour}]{process.state.lower()}[/]",
        str(process.pid or ""),
        _uptime(process.seconds) if process.pid else "",
        ports,
        _short(layout.log_file(process.name)),
    ]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _uptime(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
