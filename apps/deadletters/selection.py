"""Which dead letters a bulk action concerns: equality only, so that an index can answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import psycopg2.errors
from django.db import OperationalError, connection, transaction
from django.db.models import Count, Max, Min, QuerySet

from apps.contract.causes import UNREPLAYABLE
from apps.deadletters.models import DeadLetter, DeadLetterJob

COUNT_SECONDS: Final = 10


class SelectionTooWide(Exception):
    """Counting what matches takes too long; name the consumer, cause, game or player."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """How many letters, and the least and greatest of their ids; None where there are none."""

    letters: int
    oldest: int | None
    newest: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Open letters that match every given value; created in `[created_from, created_until)`."""

    consumer_service: str | None = None
    cause: str | None = None
    game_id: str | None = None
    player_id: str | None = None
    event_type: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        return all(value is None for value in asdict(self).values())

    def as_json(self) -> dict[str, str]:
        """As a job keeps it: what is given, moments in ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    def letters(self, state: str) -> QuerySet[DeadLetter]:
        """The letters of the state that match, the newest first."""
        equal = {
            name: value
            for name, value in asdict(self).items()
            if value is not None and not name.startswith("created_")
        }
        letters = DeadLetter.objects.filter(state=state, **equal)
        if self.created_from is not None:
            letters = letters.filter(created_at__gte=self.created_from)
        if self.created_until is not None:
            letters = letters.filter(created_at__lt=self.created_until)
        return letters.order_by("-id")

    def open_letters(self, action: str) -> QuerySet[DeadLetter]:
        """The letters that the action concerns now, the newest first."""
        letters = self.letters(DeadLetter.State.OPEN)
        if action == DeadLetterJob.Action.REPLAY:
            letters = letters.exclude(cause__in=UNREPLAYABLE)
        return letters

    def count(self, action: str) -> int:
        """How many letters the action concerns now: its dry run. Raises SelectionTooWide."""
        return self.extent(action).letters

    def extent(self, action: str) -> Extent:
        """How many letters, from which id to which. Raises SelectionTooWide."""
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = '{COUNT_SECONDS}s'")
                found = self.open_letters(action).aggregate(
                    letters=Count("id"), oldest=Min("id"), newest=Max("id")
                )
                return Extent(**found)
        except OperationalError as error:
            if not isinstance(error.__cause__, psycopg2.errors.QueryCanceled):
                raise
            raise SelectionTooWide(
                f"Counting took more than {COUNT_SECONDS} s."
                " Name the consumer, the cause, the game or the player."
            ) from error
