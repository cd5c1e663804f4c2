"""Bulk replays and discards: made, paused, resumed, cancelled, and how far they are.

The dispatcher in the bridge moves them (`bridge.replays`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Count

from apps.deadletters.models import DeadLetter, DeadLetterAction, DeadLetterJob
from apps.deadletters.selection import Selection

DEFAULT_RATE: Final = 100  # letters a second
LOWEST_RATE: Final = 1
HIGHEST_RATE: Final = 500
State = DeadLetterJob.State


class JobRefused(Exception):
    """The job cannot be made or changed like this; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a job is. `applied` and `failed` are of the letters whose last replay it was."""

    state: str
    total: int
    released: int
    replaying: int
    applied: int
    failed: int

    @property
    def settled(self) -> bool:
        """Whether nothing of it is under way."""
        return self.state in (State.DONE, State.CANCELLED) and not self.replaying


def start(
    action: str,
    selection: Selection,
    *,
    by: str,
    now: datetime,
    per_second: int = DEFAULT_RATE,
    reason: str = "",
) -> DeadLetterJob:
    """Have all open letters of the selection replayed or discarded, those that are there now.

    Raises JobRefused, SelectionTooWide.
    """
    if not LOWEST_RATE <= per_second <= HIGHEST_RATE:
        raise JobRefused(f"The rate must be {LOWEST_RATE} to {HIGHEST_RATE} letters a second.")
    extent = selection.extent(action)
    if extent.oldest is None or extent.newest is None:
        raise JobRefused("No open dead letter matches.")
    with transaction.atomic():
        job = DeadLetterJob.objects.create(
            action=action,
            filter=selection.as_json(),
            reason=reason,
            per_second=per_second,
            total=extent.letters,
            # Not from 0: the dispatcher walks over ids, and after years the first are millions.
            cursor=extent.oldest - 1,
            max_id=extent.newest,
            paced_at=now,
            created_by=by,
        )
        detail = {"filter": job.filter, "total": job.total, "per_second": per_second}
        DeadLetterAction.objects.create(job=job, action=f"start {action}", by=by, detail=detail)
    return job


def pause(job: int, *, by: str) -> None:
    """Release no more until it is resumed. Raises JobRefused."""
    _move(job, (State.RUNNING,), State.PAUSED, "pause", by)


def resume(job: int, *, by: str) -> None:
    """Go on where it was paused. Raises JobRefused."""
    _move(job, (State.PAUSED,), State.RUNNING, "resume", by)


def cancel(job: int, *, by: str, now: datetime) -> None:
    """Release no more, ever; nothing that was done is undone. Raises JobRefused."""
    _move(job, (State.RUNNING, State.PAUSED), State.CANCELLED, "cancel", by, finished_at=now)


def progress(job: DeadLetterJob) -> Progress:
    """How far the job is now."""
    job.refresh_from_db()
    rows = DeadLetter.objects.filter(job=job).values_list("state").annotate(Count("id"))
    counts: dict[str, int] = dict(rows)
    return Progress(
        state=job.state,
        total=job.total,
        released=job.released,
        replaying=counts.get(DeadLetter.State.REPLAYING, 0),
        applied=counts.get(DeadLetter.State.APPLIED, 0),
        failed=counts.get(DeadLetter.State.OPEN, 0),
    )


def _move(
    job: int,
    old: tuple[str, ...],
    new: str,
    action: str,
    by: str,
    finished_at: datetime | None = None,
) -> None:
    with transaction.atomic():
        rows = DeadLetterJob.objects.filter(pk=job, state__in=old)
        if not rows.update(state=new, finished_at=finished_at):
            state = DeadLetterJob.objects.filter(pk=job).values_list("state", flat=True).first()
            found = f"job {job} is {state}" if state else f"there is no job {job}"
            raise JobRefused(f"Cannot {action}: {found}.")
        DeadLetterAction.objects.create(job_id=job, action=action, by=by)
