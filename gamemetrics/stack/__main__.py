"""`python -m gamemetrics.stack up | down | status`."""

import argparse
import os
import sys

from rich.console import Console

from gamemetrics.stack.down import down
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.programs import SERVICES
from gamemetrics.stack.progress import PlainProgress
from gamemetrics.stack.rich_progress import RichProgress
from gamemetrics.stack.status import status
from gamemetrics.stack.up import up

WIDE = 200


def main() -> int:
    arguments = _parser().parse_args()
    # In a file or a pipe nothing is cut to a terminal's width.
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    layout = Layout.from_environ(os.environ)
    try:
        if arguments.command == "up":
            return _up(arguments.only, console)
        if arguments.command == "down":
            down(layout, PlainProgress(), clean=arguments.clean)
            return 0
        return status(layout, console)
    except StackError as problem:
        Console(stderr=True).print(
            f"error: {problem}", markup=False, highlight=False, soft_wrap=True
        )
        return problem.exit_code


def _up(only: tuple[str, ...] | None, console: Console) -> int:
    if console.is_terminal:
        with RichProgress(console) as progress:
            environment = up(os.environ, progress, only)
    else:
        environment = up(os.environ, PlainProgress(), only)
    _show(environment, console, whole=only is None)
    return 0


def _show(environment: Environment, console: Console, *, whole: bool) -> None:
    shown = environment.shown()
    lines = [f"  everything else is in {environment.layout.env_file}"]
    if whole:
        lines = [
            f"  API     {shown['API_URL']}/api/docs",
            f"  admin   {shown['ADMIN_URL']}  ({shown['ADMIN_USER']})",
            f"  Flower  http://127.0.0.1:{environment.state.ports.flower_port}",
            *lines,
        ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _services(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = set(names) - set(SERVICES)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{', '.join(sorted(unknown))}: choose from {', '.join(SERVICES)}"
        )
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gamemetrics.stack", description="The local stack of gamemetrics."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start what is not running, wait until it is ready")
    start.add_argument(
        "--only", type=_services, metavar="NAMES", help="services alone: postgres,redis,kafka"
    )
    stop = commands.add_parser("down", help="stop everything")
    stop.add_argument("--clean", action="store_true", help="also delete the data")
    commands.add_parser("status", help="what runs; exit 0 all, 1 not all, 3 nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
