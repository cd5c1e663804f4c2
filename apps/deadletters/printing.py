"""Dead letters and jobs as text for a terminal: nothing in it that a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import unified_diff

from apps.deadletters.jobs import Progress
from apps.deadletters.models import DeadLetter, DeadLetterAction, DeadLetterJob
from apps.deadletters.replayable import indented
from apps.operations.columns import hex_dump, moment, visible


def table(letters: Iterable[DeadLetter]) -> str:
    """One line a letter."""
    rows = [
        (
            str(letter.pk),
            letter.state,
            letter.consumer_service,
            letter.cause,
            letter.event_type,
            letter.player_id,
            letter.game_id,
            moment(letter.created_at),
        )
        for letter in letters
    ]
    headings = ("id", "state", "consumer", "cause", "event type", "player", "game", "created")
    return _aligned(headings, rows)


def job_table(jobs: Iterable[DeadLetterJob]) -> str:
    """One line a job."""
    rows = [
        (
            str(job.pk),
            job.action,
            job.state,
            f"{job.released:,} of {job.total:,}",
            f"{job.per_second}/s",
            job.created_by,
            moment(job.created_at),
            " ".join(f"{name}={value}" for name, value in sorted(job.filter.items())),
        )
        for job in jobs
    ]
    headings = ("job", "action", "state", "released", "rate", "by", "created", "filter")
    return _aligned(headings, rows)


def whole(letter: DeadLetter) -> str:
    """All of a letter: fields, event, edit, raw bytes, audit."""
    fields = {
        "dead letter": letter.pk,
        "state": letter.state,
        "consumer": letter.consumer_service,
        "cause": letter.cause,
        "error": letter.error_message,
        "event": letter.event_id or "-",
        "coordinates": f"{letter.topic} {letter.partition}/{letter.offset}",
        "created": moment(letter.created_at),
        "replays": letter.replays,
        "next retry": moment(letter.next_retry_at),
    }
    lines = [f"{name:<12} {visible(str(value))}" for name, value in fields.items()]
    if letter.edited is not None:
        lines += ["", *map(visible, difference(letter))]
    else:
        lines += ["", visible(indented(bytes(letter.raw)))]
    lines += ["", hex_dump(bytes(letter.raw))]
    noted = DeadLetterAction.objects.filter(letter=letter).order_by("id")
    lines += ["", *(f"{moment(row.at)} {row.action} by {visible(row.by)}" for row in noted)]
    return "\n".join(lines)


def difference(letter: DeadLetter) -> list[str]:
    """The original against the edited event, as a unified diff of their indented texts."""
    before, after = indented(bytes(letter.raw)), indented(bytes(letter.edited or b""))
    long = max(before.count("\n"), after.count("\n")) + 1
    return list(
        unified_diff(
            before.splitlines(), after.splitlines(), "original", "edited", n=long, lineterm=""
        )
    )


def of_letters(ids: Sequence[int]) -> Progress:
    """How far the replay of single letters is."""
    states = list(DeadLetter.objects.filter(pk__in=ids).values_list("state", flat=True))
    return Progress(
        state=DeadLetterJob.State.DONE,
        total=len(ids),
        released=len(ids),
        replaying=states.count(DeadLetter.State.REPLAYING),
        applied=states.count(DeadLetter.State.APPLIED),
        failed=states.count(DeadLetter.State.OPEN),
    )


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = [headings, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    )
