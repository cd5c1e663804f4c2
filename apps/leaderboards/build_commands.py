"""`manage.py board change | builds | build | switch | cancel`: boards that are built anew."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from apps.leaderboards import changes
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.builds import Cancelled
from apps.leaderboards.changes import BuildPending, BuildSettled, NothingToChange
from apps.leaderboards.construction import Overtaken
from apps.leaderboards.rebuild import NoSuchBoard
from apps.leaderboards.rules import Definition
from apps.ledger.builds import AnotherBuild
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.columns import moment, visible
from apps.operations.progress import display

if TYPE_CHECKING:
    _Command = BaseCommand
else:
    _Command = object

# Of the newest builds that are listed.
_LISTED: Final = 50
_REFUSALS: Final = (
    NoSuchBoard,
    NothingToChange,
    BuildPending,
    BuildSettled,
    AnotherBuild,
    LogBehind,
    Overtaken,
    Cancelled,
)


class BuildCommands(_Command):
    """Mixed into the command of boards."""

    def add_builds(self, commands: Any) -> None:
        listing: ArgumentParser = commands.add_parser("builds", help="changes, and what became")
        listing.add_argument("--game")
        building = commands.add_parser(
            "build", help="build what was asked for, and switch what is approved"
        )
        building.add_argument("id", type=int, nargs="?", help="this one; all that wait if absent")
        switching = commands.add_parser("switch", help="build it once more, and switch to it")
        switching.add_argument("id", type=int)
        cancelling = commands.add_parser("cancel", help="give it up")
        cancelling.add_argument("id", type=int)

    def ask_and_run(self, definition: Definition, **asked: Any) -> None:
        """Ask for the board, and build it here."""
        try:
            build = changes.ask(definition, **asked)
        except _REFUSALS as error:
            raise CommandError(str(error)) from error
        self._run(build.pk)

    def _builds(self, options: dict[str, Any]) -> None:
        found = BoardBuild.objects.exclude(definition="").order_by("-pk")
        if options["game"] is not None:
            found = found.filter(game_id=options["game"])
        for build in found[:_LISTED]:
            told = f"{build.pk} {moment(build.created_at)} {build.game_id} {build.board}"
            told += f": {build.state} by {build.asked_by}: {build.reason}"
            self.stdout.write(visible(f"{told} {build.error}".rstrip()))

    def _build(self, options: dict[str, Any]) -> None:
        wanted = [options["id"]] if options["id"] is not None else [b.pk for b in changes.waiting()]
        for number in wanted:
            self._run(number)
        if not wanted:
            self.stdout.write("nothing waits to be built")

    def _switch(self, options: dict[str, Any]) -> None:
        try:
            changes.approve(options["id"])
        except _REFUSALS as error:
            raise CommandError(str(error)) from error
        self._run(options["id"])

    def _cancel(self, options: dict[str, Any]) -> None:
        try:
            changes.cancel(options["id"])
        except _REFUSALS as error:
            raise CommandError(str(error)) from error
        self.stdout.write("cancelled")

    def _run(self, number: int) -> None:
        console = Console(width=None if sys.stdout.isatty() else 200)
        try:
            build = changes.run(number, display(console))
        except _REFUSALS as error:
            raise CommandError(str(error)) from error
        except CacheUnavailable as error:
            told = f"Redis does not answer: {error}; run `board build` again"
            raise CommandError(told) from error
        self.stdout.write(visible(f"build {build.pk} of {build.game_id} {build.board}:"))
        for line in _told(build):
            self.stdout.write(visible(f"  {line}"))


def _told(build: BoardBuild) -> list[str]:
    report: dict[str, Any] = build.report or {}
    entries, players = report["entries"], report["players"]
    lines = [
        f"{build.state}; {build.events:,} events read, {build.refused:,} without a score",
        f"entries: {entries['before']:,} before, {entries['after']:,} after; {entries['added']:,}"
        f" added, {entries['gone']:,} gone, {entries['changed']:,} changed",
        f"players of {report['period']}: {players['added']:,} added, {players['gone']:,} gone,"
        f" {players['moved']:,} of another rank",
    ]
    for after in report["top_after"][:5]:
        lines.append(f"  {after['rank']}. {after['player_id']} {after['score']}")
    for move in report["greatest_moves"][:5]:
        lines.append(f"  {move['player_id']}: {move['before']} -> {move['after']}")
    if build.state == BoardBuild.READY:
        lines.append(f"switch with: manage.py board switch {build.pk}")
    return lines
