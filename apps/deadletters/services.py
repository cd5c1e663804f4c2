"""Store what could not be applied."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now

from apps.contract.causes import FAN_OUT
from apps.contract.chunk import Chunk, Record, Refused
from apps.contract.envelope import Event, encode
from apps.contract.limits import MAX_DEPTH, depth
from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters import auto_retry
from apps.deadletters.models import DeadLetter


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A dead letter that is not stored yet."""

    consumer_service: str
    cause: str
    error_message: str
    exception: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    original_event: Any
    raw: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, str | None], ...] = ()
    event_id: str | None = None
    event_type: str = ""
    player_id: str = ""
    game_id: str = ""

    def summary(self) -> dict[str, Any]:
        """Where it lies and why, for whoever is on call."""
        return {
            "partition": self.partition,
            "offset": self.offset,
            "event_id": self.event_id,
            "cause": self.cause,
        }


def of_event(
    consumer: Consumer, chunk: Chunk, record: Record, error: BaseException, *, cause: str
) -> Letter:
    """The dead letter of a valid event that `consumer` could not apply."""
    raw = encode(record.event())
    return Letter(
        consumer_service=consumer.value,
        cause=cause,
        error_message=readable(str(error).encode("utf-8", "replace")),
        exception=type(error).__name__,
        topic=chunk.topic,
        topic_id=str(chunk.topic_id),
        partition=chunk.partition,
        offset=record.offset,
        original_event=original(raw),
        raw=raw,
        key=record.player_id.encode(),
        event_id=record.event_id,
        event_type=record.event_type,
        player_id=record.player_id,
        game_id=record.game_id,
    )


def of_message(chunk: Chunk, refused: Refused) -> Letter:
    """The dead letter of what the bridge found to be no event."""
    return Letter(
        consumer_service=BRIDGE if refused.consumer is None else refused.consumer.value,
        cause=refused.code,
        error_message=readable(refused.message.encode("utf-8", "replace")),
        exception="EventInvalid" if refused.consumer is None else "",
        topic=chunk.topic,
        topic_id=str(chunk.topic_id),
        partition=chunk.partition,
        offset=refused.offset,
        original_event=original(refused.raw),
        raw=refused.raw,
        key=refused.key,
        headers=tuple((name, _base64_text(value)) for name, value in refused.headers),
    )


def original(raw: bytes) -> Any:
    """What `jsonb` can hold of the message: its JSON, or its readable text as a string."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return readable(raw)
    # A NUL is legal JSON that jsonb refuses (22P05); what is deeper than an event may be could be
    # read here and yet not be written, further down the stack.
    return readable(raw) if b"\\u0000" in raw or depth(raw) > MAX_DEPTH else value


def readable(raw: bytes) -> str:
    """Text of any bytes that PostgreSQL can store: UTF-8 where it is, NUL replaced."""
    return raw.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _base64_text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def store(letters: Sequence[Letter]) -> int:
    """Insert the letters, inside the caller's transaction; how many.

    A letter that is stored already, by its coordinates or by consumer and event, adds nothing.
    """
    if letters:
        DeadLetter.objects.bulk_create(
            [
                DeadLetter(
                    **{
                        name: getattr(letter, name)
                        for name in Letter.__dataclass_fields__
                        if name != "headers"
                    },
                    headers=[list(header) for header in letter.headers],
                    next_retry_at=_first_retry(letter),
                )
                for letter in letters
            ],
            ignore_conflicts=True,
        )
    return len(letters)


def stored_offsets(letters: Sequence[Letter]) -> set[int]:
    """Offsets of those letters, all of one partition, that are stored by their coordinates."""
    by_service: dict[str, list[Letter]] = {}
    for letter in letters:
        by_service.setdefault(letter.consumer_service, []).append(letter)
    return {
        offset
        for service, held in by_service.items()
        for offset in DeadLetter.objects.filter(
            consumer_service=service,
            topic_id=held[0].topic_id,
            partition=held[0].partition,
            offset__in=[letter.offset for letter in held],
        ).values_list("offset", flat=True)
    }


def _first_retry(letter: Letter) -> Any:
    place = auto_retry.place(letter.topic_id, letter.partition, letter.offset)
    delay = auto_retry.delay(letter.cause, replays=0, place=place)
    return None if delay is None else ExpressionWrapper(Now() + delay, DateTimeField())


def fan_out(letter: DeadLetter, event: Event) -> None:
    """Have stats and leaderboards apply the event of a refused message that logging applied.

    Runs in the transaction in which logging applies it. Who has a letter of the event already
    is about to apply it or has refused it: nothing is added.
    """
    raw = encode(event)
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                original_event=original(raw),
                error_message="The event of a refused message that was mended",
                consumer_service=consumer.value,
                cause=FAN_OUT,
                state=DeadLetter.State.REPLAYING,
                event_id=event.event_id,
                event_type=event.event_type,
                player_id=event.player_id,
                game_id=event.game_id,
                topic=letter.topic,
                topic_id=letter.topic_id,
                partition=letter.partition,
                offset=letter.offset,
                key=letter.key,
                headers=letter.headers,
                raw=raw,
                replays=1,
                last_replayed_by=letter.last_replayed_by,
                last_replayed_at=Now(),
                next_send_at=Now(),
            )
            for consumer in (Consumer.STATS, Consumer.LEADERBOARDS)
        ],
        ignore_conflicts=True,
    )
