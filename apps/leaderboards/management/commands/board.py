"""`manage.py board`: declaring boards, and looking at them, from a shell."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from apps.leaderboards import changes, selectors
from apps.leaderboards.board_schema import BoardInvalid, as_json, definition_of, typed
from apps.leaderboards.board_versions import versions
from apps.leaderboards.build_commands import BuildCommands
from apps.leaderboards.declaration import BoardConflict, declare
from apps.leaderboards.models import Board
from apps.leaderboards.periods import CALENDAR, Period
from apps.leaderboards.rules import Definition, Operator, Order
from apps.ledger.coverage import LogBehind
from apps.operations.columns import moment, visible
from apps.operations.shell import os_user

PLAIN = ("name", "event_types", "score", "operator", "order", "periods", "season", "timezone")


class Command(BuildCommands, BaseCommand):
    """Exit 1, with the reason, where something asked for was not done."""

    help = "Declare, list, show and change boards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        listing = commands.add_parser("list", help="declared boards")
        listing.add_argument("--game")
        shown = commands.add_parser("show", help="one, with its versions")
        shown.add_argument("game")
        shown.add_argument("name")
        declaring = commands.add_parser("declare", help="fill a new board from the log")
        changing = commands.add_parser("change", help="build a board anew, as it is said here")
        changing.add_argument(
            "--switch", action="store_true", help="at once, without a look at the report"
        )
        for defining in (declaring, changing):
            _add_definition(defining)
        self.add_builds(commands)

    def handle(self, *_: Any, **options: Any) -> None:
        command = options["command"]
        getattr(self, f"_{command}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        boards = Board.objects.order_by("game_id", "name")
        if options["game"] is not None:
            boards = boards.filter(game_id=options["game"])
        for board in boards:
            told = f"{board.game_id} {board.name} version {board.version}: {board.operator}"
            self.stdout.write(visible(f"{told}, {board.order}, {', '.join(board.periods)}"))

    def _show(self, options: dict[str, Any]) -> None:
        game_id, name = options["game"], options["name"]
        board = Board.objects.filter(game_id=game_id, name=name).first()
        if board is None:
            raise CommandError(f"{game_id!r} has no declared board {name!r}")
        text = as_json(selectors.definition(board))
        self.stdout.write(msgspec.json.format(text, indent=2))
        for found in versions(board):
            told = f"{moment(found.created_at)} version {found.version} by {found.changed_by}"
            self.stdout.write(visible(f"{told}: {found.reason}"))

    def _declare(self, options: dict[str, Any]) -> None:
        definition = _definition(options)
        by, reason = os_user(), options["reason"]
        there = Board.objects.filter(game_id=definition.game_id, name=definition.name).exists()
        if not there and not changes.is_small(definition):
            self.ask_and_run(definition, by=by, reason=reason, approved=True, new=True)
            return
        try:
            new = declare(definition, by=by, reason=reason)
        except (BoardConflict, LogBehind) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("declared" if new else "was declared so already")

    def _change(self, options: dict[str, Any]) -> None:
        self.ask_and_run(
            _definition(options), by=os_user(), reason=options["reason"], approved=options["switch"]
        )


def _definition(options: dict[str, Any]) -> Definition:
    given = {name: options[name] for name in PLAIN}
    given["periods"] = given["periods"] or list(CALENDAR)
    try:
        given["where"] = typed("where", options["where"])
        given["bounds"] = typed("bounds", options["bounds"])
        return definition_of(options["game"], given)
    except BoardInvalid as error:
        raise CommandError(f"{error.pointer}: {error}") from error


def _add_definition(parser: ArgumentParser) -> None:
    parser.add_argument("game")
    parser.add_argument("name")
    parser.add_argument(
        "--event-type", dest="event_types", action="append", required=True, metavar="TYPE"
    )
    parser.add_argument("--score", default="", help="JSON Pointer into data, as /points")
    parser.add_argument("--operator", choices=list(Operator), required=True)
    parser.add_argument("--order", choices=list(Order), default=Order.DESC)
    parser.add_argument(
        "--period", dest="periods", action="append", choices=list(Period), metavar="PERIOD"
    )
    parser.add_argument("--season", default="", help="cron expression, as '0 4 1 * *'")
    parser.add_argument("--timezone", default="UTC")
    parser.add_argument("--where", default="{}", help="""JSON, as '{"/mode": "ranked"}'""")
    parser.add_argument("--bounds", default="{}", help="""JSON, as '{"max": 1000}'""")
    parser.add_argument("--reason", required=True, help="kept with the version")
