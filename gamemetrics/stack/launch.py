"""Becomes one program of the stack: `python -m gamemetrics.stack.launch <name>`.

supervisord starts this instead of the program, so that the pid file holds the pid of the program
itself, written before it runs, and so that only root's part of the work is done as root.
"""

import os
import signal
import sys

from gamemetrics.stack.layout import Layout
from gamemetrics.stack.processes import end, named
from gamemetrics.stack.programs import Launch


def main() -> None:
    name = sys.argv[1]
    layout = Layout.from_environ(os.environ)
    launch = Launch.load(layout.launch_file(name))
    # A killed parent can leave children that hold its port and would go on serving old code.
    end(named(layout, name) - {os.getpid()}, signal.SIGKILL, seconds=10)
    _write_pid(layout, name)
    os.chdir(launch.directory)
    if launch.user_id is not None and launch.group_id is not None:
        os.setgroups([])
        os.setgid(launch.group_id)
        os.setuid(launch.user_id)
    os.execve(launch.argv[0], list(launch.argv), dict(launch.environ))


def _write_pid(layout: Layout, name: str) -> None:
    path = layout.pid_file(name)
    beside = path.with_name(f".{name}.{os.getpid()}")
    beside.write_text(f"{os.getpid()}\n")
    beside.replace(path)


if __name__ == "__main__":
    main()
