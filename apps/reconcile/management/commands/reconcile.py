"""`manage.py reconcile`: whether everything that was accepted took effect once, and mend it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import Console

from apps.operations.progress import display
from apps.reconcile.findings import Part, Scope
from apps.reconcile.report import Report
from apps.reconcile.services import AnotherReconcile, Unavailable, reconcile

_COULD_NOT_COMPARE = 2


def moment(text: str) -> datetime:
    """An aware moment; a day or a naive time is UTC's."""
    try:
        found = parse_datetime(text)
        day = None if found else parse_date(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from error
    if found is None and day is None:
        raise ArgumentTypeError(f"{text!r} is no time, as 2026-11-20T12:00:00Z")
    if found is None and day is not None:
        found = datetime(day.year, day.month, day.day)
    assert found is not None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def parts(text: str) -> list[Part]:
    """The named parts, by comma."""
    try:
        return [Part(name.strip()) for name in text.split(",")]
    except ValueError as error:
        raise ArgumentTypeError(f"{error}; choose of {', '.join(Part)}") from error


class Command(BaseCommand):
    """Exit 0: nothing differs, or all is repaired. 1: something differs. 2: not all compared."""

    help = (
        "Compare Kafka, the log, the ledgers, statistics, boards and Redis, on a live system; "
        "name what differs by event id. --repair applies it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--game", help="only this game_id")
        parser.add_argument("--player", help="only this player_id")
        parser.add_argument("--since", type=moment, help="only what was accepted since, UTC")
        parser.add_argument("--only", type=parts, default=list(Part), help=", ".join(Part))
        parser.add_argument("--repair", action="store_true", help="mend what differs")
        parser.add_argument("--json", type=Path, help="all findings, one JSON object a line")
        parser.add_argument("--limit", type=int, default=50, help="findings that are shown")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(width=None if sys.stdout.isatty() else 200)
        with ExitStack() as stack:
            path: Path | None = options["json"]
            try:
                lines = None if path is None else stack.enter_context(path.open("wb"))
            except OSError as error:
                raise CommandError(f"--json: {error}") from error
            report = Report(options["limit"], lines)
            try:
                reconcile(
                    settings.KAFKA_CLIENT,
                    settings.KAFKA_TOPIC,
                    scope=Scope(
                        game_id=options["game"],
                        player_id=options["player"],
                        since=options["since"],
                    ),
                    parts=options["only"],
                    repair=options["repair"],
                    report=report,
                    display=display(console),
                )
            except (AnotherReconcile, Unavailable) as error:
                _show(console, report)
                console.print(f"  could not compare: {error}", markup=False, soft_wrap=True)
                raise SystemExit(_COULD_NOT_COMPARE) from error
            finally:
                report.close()
        _show(console, report)
        _sum_up(console, report)
        if report.exit_code:
            raise SystemExit(report.exit_code)


def _show(console: Console, report: Report) -> None:
    for note in report.notes:
        console.print(f"  {note}", markup=False, highlight=False, soft_wrap=True)
    for finding in report.shown:
        style = "green" if finding.repaired else "red"
        console.print(
            f"  {finding.line()}", style=style, markup=False, highlight=False, soft_wrap=True
        )
    hidden = report.found.total() - len(report.shown)
    if hidden:
        console.print(f"  {hidden:,} more; --json FILE has them all", highlight=False)
    for part, why in report.unavailable.items():
        console.print(f"  could not compare {part}: {why}", style="red", markup=False)


def _sum_up(console: Console, report: Report) -> None:
    left = report.left.total()
    mended = report.found.total() - left
    if report.found:
        console.print(
            f"  {left:,} differ, {mended:,} repaired",
            style="red" if left else "green",
            highlight=False,
        )
    elif not report.unavailable:
        console.print("  nothing differs", style="green", highlight=False)
