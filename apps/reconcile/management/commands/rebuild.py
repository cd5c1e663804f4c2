"""`manage.py rebuild stats`: what was added up from the log, added up again and switched."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from apps.ledger.cache import CacheUnavailable
from apps.reconcile.progress import display
from apps.stats.builds import AnotherBuild, LogBehind
from apps.stats.rebuild import rebuild


class Command(BaseCommand):
    """Exit 0: switched, and Redis follows. 1: nothing was changed, or Redis is away."""

    help = (
        "Rebuild from the log, beside the live rows, while events go on arriving; switched in one "
        "transaction. What is right already is not written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("stats",), help="statistics of players and games")
        parser.add_argument("--game", help="only this game_id")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(width=None if sys.stdout.isatty() else 200)
        try:
            done = rebuild(options["game"], display(console))
        except (AnotherBuild, LogBehind) as error:
            raise CommandError(str(error)) from error
        except CacheUnavailable as error:
            raise CommandError(
                f"switched, but Redis has not all copies: {error}; run it again"
            ) from error
        console.print(
            f"  {done.events:,} events in {done.seconds:.1f} s,"
            f" {done.events / max(done.seconds, 0.001):,.0f} events/s;"
            f" {done.changed:,} players changed; statistics stood still for {done.still:.2f} s",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
