"""`manage.py quarantine`: held scores, hidden players and removed scores, from a shell."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.leaderboards import moderation
from apps.leaderboards.acts import BoardUnknown, Said
from apps.leaderboards.models import Decision, ModerationAct
from apps.leaderboards.moderation import ActConflict, ActUnknown, ScoreUnknown
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.columns import moment, visible
from apps.operations.shell import os_user

_REFUSED = (BoardUnknown, ActUnknown, ScoreUnknown, ActConflict, LogBehind, CacheUnavailable)


class Command(BaseCommand):
    """Exit 1, with the reason, where something asked for was not done."""

    help = "List held scores, release and remove scores, hide players, and undo it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        listing = commands.add_parser("list", help="decisions of a game, the newest first")
        listing.add_argument("game")
        listing.add_argument("--board")
        listing.add_argument("--player")
        listing.add_argument("--state", choices=["held", "released", "removed"], default="held")
        listing.add_argument("--limit", type=int, default=25)
        acts = commands.add_parser("log", help="what was done in a game, the newest first")
        acts.add_argument("game")
        acts.add_argument("--limit", type=int, default=25)
        for name, told in (
            ("release", "have them count whatever the bounds say"),
            ("confirm", "have them never count"),
        ):
            settling = commands.add_parser(name, help=told)
            settling.add_argument("game")
            settling.add_argument("ids", type=int, nargs="+", metavar="DECISION")
        removing = commands.add_parser("remove", help="take events off a board")
        removing.add_argument("game")
        removing.add_argument("board")
        removing.add_argument("ids", type=_event_id, nargs="+", metavar="EVENT")
        for name in ("hide", "unhide"):
            hiding = commands.add_parser(name, help=f"{name} a player")
            hiding.add_argument("game")
            hiding.add_argument("player")
            hiding.add_argument("--board", default="", help="default: every board of the game")
        undoing = commands.add_parser("undo", help="undo an act of the log")
        undoing.add_argument("game")
        undoing.add_argument("act", type=int)
        for name in ("release", "confirm", "remove", "hide", "unhide", "undo"):
            commands.choices[name].add_argument("--reason", required=True)

    def handle(self, *_: Any, **options: Any) -> None:
        if options["command"] == "list":
            self._list(options)
        elif options["command"] == "log":
            self._log(options)
        else:
            try:
                acts = [act for act in _act(options) if act is not None]
            except _REFUSED as error:
                raise CommandError(str(error)) from error
            for act in acts:
                self.stdout.write(visible(f"act {act.pk}: {act}"))
            if not acts:
                self.stdout.write("it was so already")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Decision.objects.filter(game_id=options["game"], state=options["state"])
        wanted = {"board": options["board"], "player_id": options["player"]}
        rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
        for row in rows.order_by("-pk")[: options["limit"]]:
            told = f"{row.pk} {row.board} {row.player_id} {row.score} at"
            why = f"{row.rule}: {row.detail}, event {row.event_id}"
            self.stdout.write(visible(f"{told} {moment(row.event_timestamp)} {why}"))

    def _log(self, options: dict[str, Any]) -> None:
        rows = ModerationAct.objects.filter(game_id=options["game"]).order_by("-pk")
        for act in rows[: options["limit"]]:
            undone = f" (undoes {act.undo_of_id})" if act.undo_of_id else ""
            told = f"{act.pk} {moment(act.acted_at)} {act} by {act.actor}{undone}: {act.reason}"
            self.stdout.write(visible(told))


def _act(options: dict[str, Any]) -> Sequence[ModerationAct | None]:
    said = Said(by=os_user(), reason=options["reason"])
    game, command = options["game"], options["command"]
    if command == "release":
        return moderation.settle(game, options["ids"], Decision.RELEASED, said)
    if command == "confirm":
        return moderation.settle(game, options["ids"], Decision.REMOVED, said)
    if command == "remove":
        return moderation.remove(game, options["board"], options["ids"], said)
    if command == "undo":
        return [moderation.undo(game, options["act"], said)]
    do = moderation.hide if command == "hide" else moderation.unhide
    return [do(game, options["player"], options["board"], said)]


def _event_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no event id") from error
