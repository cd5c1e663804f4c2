"""`manage.py dead_letters`: what the admin can do with dead letters, from a shell."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from apps.contract.envelope import EventInvalid
from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters import actions, jobs, printing
from apps.deadletters.actions import ActionRefused
from apps.deadletters.jobs import DEFAULT_RATE, HIGHEST_RATE, LOWEST_RATE, JobRefused
from apps.deadletters.models import DeadLetter, DeadLetterJob
from apps.deadletters.selection import Selection, SelectionTooWide
from apps.deadletters.waiting import wait
from apps.operations.shell import os_user

FILTERS = ("consumer", "cause", "game", "player", "event_type", "created_from", "created_until")


class Command(BaseCommand):
    """Exit 1, with the reason, where something asked for was not done."""

    help = "List, replay, edit and discard dead letters."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)

        listing = commands.add_parser("list", help="the newest dead letters")
        listing.add_argument("--state", choices=DeadLetter.State.values, default="open")
        listing.add_argument("--limit", type=_whole(1, 1_000), default=25)
        _add_filters(listing)
        commands.add_parser("show", help="one, whole").add_argument("letter", type=int)

        count = commands.add_parser("count", help="how many open ones match: a dry run")
        _add_filters(count)
        replay = commands.add_parser("replay", help="by number, or all that match")
        _add_choice(replay)
        replay.add_argument(
            "--wait",
            action="store_true",
            help="until nothing of it is under way; exit 1 if any fails",
        )
        discard = commands.add_parser("discard", help="close without applying")
        _add_choice(discard)
        discard.add_argument("--reason", required=True)
        discard.add_argument("--wait", action="store_true")
        reopen = commands.add_parser("reopen", help="undo a discard")
        reopen.add_argument("letter", type=int)
        edit = commands.add_parser("edit", help="have the next replay apply another event")
        edit.add_argument("letter", type=int)
        edit.add_argument("--file", required=True, help="the event's JSON; - is standard input")
        edit.add_argument("--replay", action="store_true", help="and replay it")

        commands.add_parser("jobs", help="the newest bulk replays and discards")
        for name in ("pause", "resume", "cancel"):
            commands.add_parser(name, help=f"{name} a job").add_argument("job", type=int)
        for name in ("replay", "discard", "reopen", "edit", "pause", "resume", "cancel"):
            commands.choices[name].add_argument("--by", default=None, help="default: the OS user")

    def handle(self, *args: Any, **options: Any) -> None:
        options["by"] = options.get("by") or os_user()
        deeds: dict[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "show": self._show,
            "count": self._count,
            "replay": self._replay,
            "discard": self._discard,
            "reopen": self._reopen,
            "edit": self._edit,
            "jobs": self._jobs,
        }
        deed = deeds.get(options["command"], self._change_job)
        try:
            deed(options)
        except (ActionRefused, JobRefused, SelectionTooWide) as error:
            raise CommandError(str(error)) from error
        except EventInvalid as error:
            where = f" at {error.pointer}" if error.pointer else ""
            raise CommandError(f"no valid event: {error.message} ({error.code}{where})") from error

    def _list(self, options: dict[str, Any]) -> None:
        rows = _selection(options).letters(options["state"])[: options["limit"]]
        self.stdout.write(printing.table(rows))

    def _show(self, options: dict[str, Any]) -> None:
        self.stdout.write(printing.whole(_letter(options["letter"])))

    def _count(self, options: dict[str, Any]) -> None:
        selection = _selection(options)
        self.stdout.write(str(selection.count(DeadLetterJob.Action.DISCARD)))

    def _replay(self, options: dict[str, Any]) -> None:
        if options["id"]:
            released = actions.replay(options["id"], by=options["by"])
            self.stdout.write(f"{released} of {len(options['id'])} dead letters are replaying")
            if released < len(set(options["id"])):
                raise CommandError("the others are not open, or cannot be replayed")
            if options["wait"]:
                wait(self.stdout, lambda: printing.of_letters(options["id"]))
        else:
            self._start(DeadLetterJob.Action.REPLAY, options)

    def _discard(self, options: dict[str, Any]) -> None:
        if options["id"]:
            closed = actions.discard(options["id"], by=options["by"], reason=options["reason"])
            self.stdout.write(f"{closed} of {len(options['id'])} dead letters are discarded")
            if closed < len(set(options["id"])):
                raise CommandError("the others are not open")
        else:
            self._start(DeadLetterJob.Action.DISCARD, options)

    def _start(self, action: str, options: dict[str, Any]) -> None:
        selection = _selection(options)
        if selection.is_everything and not options["all"]:
            raise CommandError("name letters by --id, name a filter, or say --all")
        job = jobs.start(
            action,
            selection,
            by=options["by"],
            now=datetime.now(UTC),
            per_second=options["per_second"],
            reason=options.get("reason", ""),
        )
        self.stdout.write(f"job {job.pk}: {action} of {job.total:,} dead letters")
        if options["wait"]:
            wait(self.stdout, lambda: jobs.progress(job))

    def _reopen(self, options: dict[str, Any]) -> None:
        actions.reopen(options["letter"], by=options["by"])
        self.stdout.write(f"dead letter {options['letter']} is open")

    def _edit(self, options: dict[str, Any]) -> None:
        letter, name = options["letter"], options["file"]
        try:
            raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"cannot read {name}: {error.strerror}") from error
        actions.edit(letter, raw, by=options["by"])
        self.stdout.write(f"dead letter {letter} is edited")
        if options["replay"]:
            actions.replay_one(letter, by=options["by"])
            self.stdout.write(f"dead letter {letter} is replaying")

    def _jobs(self, options: dict[str, Any]) -> None:
        self.stdout.write(printing.job_table(DeadLetterJob.objects.order_by("-id")[:25]))

    def _change_job(self, options: dict[str, Any]) -> None:
        job, by = options["job"], options["by"]
        if options["command"] == "cancel":
            jobs.cancel(job, by=by, now=datetime.now(UTC))
        else:
            {"pause": jobs.pause, "resume": jobs.resume}[options["command"]](job, by=by)
        self.stdout.write(f"job {job} is {DeadLetterJob.objects.get(pk=job).state}")


def _add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--consumer", choices=[BRIDGE, *map(str, Consumer)])
    for name in ("cause", "game", "player", "event-type"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--from", dest="created_from", type=_moment, help="dead since, ISO 8601")
    parser.add_argument("--until", dest="created_until", type=_moment, help="dead before")


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--id", type=int, nargs="+", help="these letters")
    parser.add_argument("--all", action="store_true", help="every open one")
    parser.add_argument(
        "--per-second", type=_whole(LOWEST_RATE, HIGHEST_RATE), default=DEFAULT_RATE
    )
    _add_filters(parser)


def _selection(options: dict[str, Any]) -> Selection:
    consumer, cause, game, player, event_type, since, until = (options[name] for name in FILTERS)
    return Selection(
        consumer_service=consumer,
        cause=cause,
        game_id=game,
        player_id=player,
        event_type=event_type,
        created_from=since,
        created_until=until,
    )


def _letter(number: int) -> DeadLetter:
    found = DeadLetter.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(f"there is no dead letter {number}")
    return found


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ArgumentTypeError("must be a moment with its offset, as 2026-11-20T12:00:00Z")
    return found


def _whole(at_least: int, at_most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else 0
        if not at_least <= number <= at_most:
            raise argparse.ArgumentTypeError(f"must be {at_least} to {at_most:,}")
        return number

    return parse
