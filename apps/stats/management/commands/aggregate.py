"""`manage.py aggregate`: declaring aggregates of statistics, and looking at them, from a shell."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.ledger.builds import AnotherBuild
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.columns import visible
from apps.operations.shell import os_user
from apps.stats.aggregate_models import StatDefinition
from apps.stats.aggregate_schema import AggregateInvalid, definition_of
from apps.stats.aggregates import Operator
from apps.stats.declaration import (
    AggregateConflict,
    NoSuchAggregate,
    TooManyAggregates,
    change,
    declare,
)

PLAIN = ("name", "event_types", "pointer", "operator")
REFUSED = (AggregateConflict, NoSuchAggregate, TooManyAggregates, AnotherBuild, LogBehind)


class Command(BaseCommand):
    """Exit 1, with the reason, where something asked for was not done."""

    help = "Declare, change and list aggregates of statistics."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        listing = commands.add_parser("list", help="what is in force")
        listing.add_argument("--game")
        for name, told in (
            ("declare", "fill a new aggregate from the log"),
            ("change", "fill it anew under another definition"),
        ):
            made = commands.add_parser(name, help=told)
            made.add_argument("game")
            made.add_argument("name")
            made.add_argument(
                "--event-type", dest="event_types", action="append", required=True, metavar="TYPE"
            )
            made.add_argument("--pointer", required=True, help="into data, as /damage")
            made.add_argument("--operator", choices=list(Operator), required=True)
            made.add_argument("--reason", required=True, help="kept with the version")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["command"] == "list":
            self._list(options["game"])
        else:
            self._make(options)

    def _list(self, game_id: str | None) -> None:
        rows = StatDefinition.objects.filter(current=True).order_by("game_id", "name")
        for row in rows if game_id is None else rows.filter(game_id=game_id):
            told = f"{row.game_id} {row.name} version {row.version}: {row.operator} of"
            self.stdout.write(visible(f"{told} {row.pointer} in {', '.join(row.event_types)}"))

    def _make(self, options: dict[str, Any]) -> None:
        make = declare if options["command"] == "declare" else change
        try:
            definition = definition_of(options["game"], {name: options[name] for name in PLAIN})
            made = make(definition, by=os_user(), reason=options["reason"])
        except AggregateInvalid as error:
            raise CommandError(f"{error.pointer}: {error}") from error
        except REFUSED as error:
            raise CommandError(str(error)) from error
        except CacheUnavailable as error:
            raise CommandError(f"in force, but Redis has not all copies: {error}") from error
        told = f"version {made.version}, filled from {made.events:,} events"
        self.stdout.write(told if made.new else "was declared so already")
