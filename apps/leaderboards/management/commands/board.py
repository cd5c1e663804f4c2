"""`manage.py board`: declaring boards, and looking at them, from a shell."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from apps.leaderboards import selectors
from apps.leaderboards.board_schema import BoardInvalid, as_json, definition_of, typed
from apps.leaderboards.board_versions import versions
from apps.leaderboards.declaration import BoardConflict, LogBehind, declare
from apps.leaderboards.models import Board
from apps.leaderboards.periods import CALENDAR, Period
from apps.leaderboards.rules import Operator, Order
from apps.operations.columns import moment, visible
from apps.operations.shell import os_user

PLAIN = ("name", "event_types", "score", "operator", "order", "periods", "season", "timezone")


class Command(BaseCommand):
    """Exit 1, with the reason, where something asked for was not done."""

    help = "Declare, list and show boards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        listing = commands.add_parser("list", help="declared boards")
        listing.add_argument("--game")
        shown = commands.add_parser("show", help="one, with its versions")
        shown.add_argument("game")
        shown.add_argument("name")
        declaring = commands.add_parser("declare", help="fill a new board from the log")
        declaring.add_argument("game")
        declaring.add_argument("name")
        declaring.add_argument(
            "--event-type", dest="event_types", action="append", required=True, metavar="TYPE"
        )
        declaring.add_argument("--score", default="", help="JSON Pointer into data, as /points")
        declaring.add_argument("--operator", choices=list(Operator), required=True)
        declaring.add_argument("--order", choices=list(Order), default=Order.DESC)
        declaring.add_argument(
            "--period", dest="periods", action="append", choices=list(Period), metavar="PERIOD"
        )
        declaring.add_argument("--season", default="", help="cron expression, as '0 4 1 * *'")
        declaring.add_argument("--timezone", default="UTC")
        declaring.add_argument("--where", default="{}", help="""JSON, as '{"/mode": "ranked"}'""")
        declaring.add_argument("--bounds", default="{}", help="""JSON, as '{"max": 1000}'""")
        declaring.add_argument("--reason", required=True, help="kept with the version")

    def handle(self, *_: Any, **options: Any) -> None:
        {"list": self._list, "show": self._show, "declare": self._declare}[options["command"]](
            options
        )

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
        given = {name: options[name] for name in PLAIN}
        given["periods"] = given["periods"] or list(CALENDAR)
        try:
            given["where"] = typed("where", options["where"])
            given["bounds"] = typed("bounds", options["bounds"])
            definition = definition_of(options["game"], given)
            new = declare(definition, by=os_user(), reason=options["reason"])
        except BoardInvalid as error:
            raise CommandError(f"{error.pointer}: {error}") from error
        except (BoardConflict, LogBehind) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("declared" if new else "was declared so already")
