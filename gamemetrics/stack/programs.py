"""The processes of a stack: their names, their order, and how each is started and stopped."""

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.private_files import write_private

SERVICES = ("postgres", "redis", "kafka")
QUEUES = ("logging", "stats", "leaderboards")


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One supervised process."""

    name: str
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 20
    # Stopped in this order: what takes work in first, what keeps it last.
    stop_layer: int


PROGRAMS = (
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
    Program(name="postgres", stop_signal=signal.SIGINT, stop_seconds=30, stop_layer=3),
    Program(name="redis", stop_layer=3),
    Program(name="kafka", stop_seconds=30, stop_layer=3),
    Program(name="web", stop_layer=0),
    Program(name="bridge", stop_layer=1),
    *(Program(name=f"worker-{queue}", stop_layer=2) for queue in QUEUES),
    Program(name="flower", stop_layer=2),
)

STOP_LAYERS = tuple(
    tuple(program for program in PROGRAMS if program.stop_layer == layer)
    for layer in sorted({program.stop_layer for program in PROGRAMS})
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What `gamemetrics.stack.launch` turns itself into."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    directory: str = str(PROJECT_ROOT)
    user_id: int | None = None
    group_id: int | None = None

    def save(self, layout: Layout, name: str) -> bool:
        """Keeps it for the next start of `name`; tells whether it is new or changed."""
        marked = {**self.environ, "STACK_DIR": str(layout.root), "STACK_PROCESS": name}
        text = json.dumps({**asdict(self), "environ": marked}, indent=1, sort_keys=True)
        path = layout.launch_file(name)
        if path.exists() and path.read_text() == text:
            return False
        write_private(path, text)
        return True

    @classmethod
    def load(cls, path: Path) -> "Launch":
        return cls(**json.loads(path.read_text()))
