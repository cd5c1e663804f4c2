"""`down`: nothing of the stack is left running. Standard library only, and no virtual environment.

Also runs by itself: `python3 -m gamemetrics.stack.down [--clean]`.
"""

import argparse
import os
import shutil
import signal
import sys

from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.locking import locked
from gamemetrics.stack.processes import end, named, ours, wait_until
from gamemetrics.stack.programs import STOP_LAYERS
from gamemetrics.stack.progress import PlainProgress, Progress
from gamemetrics.stack.supervision import Supervisor


class StillRunning(StackError):
    """Processes of the stack could not be ended."""


def down(layout: Layout, progress: Progress, *, clean: bool = False) -> None:
    """Stops every process of the stack and waits until it is gone. Raises StillRunning."""
    if not layout.root.is_dir():
        return
    with locked(layout.lock_file):
        _down(layout, progress, clean=clean)


def _down(layout: Layout, progress: Progress, *, clean: bool) -> None:
    if ours(layout):
        _stop_in_order(layout, progress)
        with progress.step("nothing is left running"):
            end_everything(layout)
    else:
        progress.note("nothing was running")
    for pid_file in layout.pids.glob("*.pid"):
        pid_file.unlink()
    for leftover in (layout.run_file, layout.supervisor_pid, layout.socket):
        leftover.unlink(missing_ok=True)
    if clean:
        with progress.step("data is deleted"):
            _delete(layout)


def _stop_in_order(layout: Layout, progress: Progress) -> None:
    """Through supervisord, if it answers: else it would start again what we stop."""
    supervisor = Supervisor(layout=layout)
    if supervisor.answers():
        for layer in STOP_LAYERS:
            running = supervisor.running(layer)
            names = ", ".join(program.name.removeprefix("worker-") for program in running)
            if running:
                with progress.step(f"stopped: {names}"):
                    supervisor.stop(running)
        supervisor.shut_down()
    pid = supervisor.pid()
    if pid is not None and not wait_until(lambda: supervisor.pid() is None, seconds=10):
        end([pid], signal.SIGTERM, seconds=10)


def end_everything(layout: Layout) -> None:
    """Ends what runs without a supervisor, each as it likes to be ended."""
    supervisor = Supervisor(layout=layout).pid()
    if supervisor is not None:
        end([supervisor], signal.SIGKILL, seconds=10)
    for layer in STOP_LAYERS:
        for program in layer:
            end(named(layout, program.name), program.stop_signal, seconds=program.stop_seconds)
    end(ours(layout), signal.SIGTERM, seconds=5)
    left = ours(layout)
    if left:
        raise StillRunning(f"still running: {', '.join(map(str, sorted(left)))}")


def _delete(layout: Layout) -> None:
    """Deletes what the stack made, by name: STACK_DIR may be a directory with more in it."""
    for path in layout.data:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if layout.root.is_dir() and not any(layout.root.iterdir()):
        layout.root.rmdir()


def main() -> int:
    parser = argparse.ArgumentParser(prog="gamemetrics.stack.down", description=__doc__)
    parser.add_argument("--clean", action="store_true", help="also delete the data")
    try:
        down(Layout.from_environ(os.environ), PlainProgress(), clean=parser.parse_args().clean)
    except StackError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
