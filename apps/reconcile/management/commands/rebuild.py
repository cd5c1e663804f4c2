"""`manage.py rebuild stats|leaderboards`: made anew from the log, and switched."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from apps.leaderboards.builds import Cancelled
from apps.leaderboards.rebuild import NoSuchBoard
from apps.leaderboards.rebuild import rebuild as rebuild_boards
from apps.ledger.builds import AnotherBuild
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.progress import display
from apps.operations.steps import Display
from apps.stats.rebuild import rebuild as rebuild_statistics


class Command(BaseCommand):
    """Exit 0: switched, and Redis follows. 1: nothing was changed, or Redis is away."""

    help = (
        "Rebuild from the log, beside the live rows, while events go on arriving; switched in one "
        "transaction. What is right already is not written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        whats = parser.add_subparsers(dest="what", required=True)
        stats = whats.add_parser("stats", help="statistics of players and games")
        boards = whats.add_parser("leaderboards", help="boards as they are defined")
        for what in (stats, boards):
            what.add_argument("--game", help="only this game_id")
        boards.add_argument("--board", help="only this board of the game")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(width=None if sys.stdout.isatty() else 200)
        make = {"stats": _statistics, "leaderboards": _boards}[options["what"]]
        try:
            told = make(options, display(console))
        except (AnotherBuild, LogBehind, NoSuchBoard, Cancelled) as error:
            raise CommandError(str(error)) from error
        except CacheUnavailable as error:
            raise CommandError(
                f"switched, but Redis has not all copies: {error}; run it again"
            ) from error
        console.print(told, highlight=False, markup=False, soft_wrap=True)


def _statistics(options: dict[str, Any], shown: Display) -> str:
    done = rebuild_statistics(options["game"], shown)
    return (
        f"{_pace(done.events, done.seconds)};"
        f" {done.changed:,} players changed; statistics stood still for {done.still:.2f} s"
    )


def _boards(options: dict[str, Any], shown: Display) -> str:
    game_id, board = options["game"], options["board"]
    if board is not None and game_id is None:
        raise CommandError("--board needs --game")
    done = rebuild_boards(game_id, board, shown)
    return (
        f"{_pace(done.events, done.seconds)}; {done.refused:,} without a score;"
        f" {done.changed:,} entries changed; boards stood still for {done.still:.2f} s"
    )


def _pace(events: int, seconds: float) -> str:
    return f"  {events:,} events in {seconds:.1f} s, {events / max(seconds, 0.001):,.0f} events/s"
