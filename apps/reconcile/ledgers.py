"""The log and the dead letters, with the ledgers of statistics and boards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from django.db import transaction

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.leaderboards import selectors as boards
from apps.leaderboards.folding import scores
from apps.ledger.failures import EventRefused
from apps.ledger.given import LEDGERS
from apps.reconcile import given, kafka_log, letters, questions, redrive
from apps.reconcile.boards import BoardsProjection
from apps.reconcile.findings import Finding, Kind, Part
from apps.reconcile.job import Job
from apps.reconcile.letters import Place
from apps.reconcile.projections import UNTRUSTED, Changes, Projection, still
from apps.reconcile.questions import Question
from apps.reconcile.statistics import StatisticsProjection

PROJECTIONS: Final[Mapping[Consumer, Projection]] = {
    Consumer.STATS: StatisticsProjection(),
    Consumer.LEADERBOARDS: BoardsProjection(),
}


def unknown(job: Job, consumer: Consumer) -> int:
    """Name ids that the consumer applied and nothing else knows; how many stay so.

    Kafka may still have them. Raises KafkaUnavailable, ConsumersBehind.
    """
    question = questions.unknown(consumer)
    if not questions.note(question, job.display):
        return 0
    job.settle()
    left = 0
    for ids in questions.suspects():
        found = questions.still_true(question, ids)
        retained = kafka_log.find(job, found) if job.repair else {}
        for event_id in found:
            mended = event_id in retained
            if mended:
                place, record = min(retained[event_id], key=lambda held: held[1].ingested_at)
                redrive.append(place, [record])
            left += not mended
            job.report.add(
                Finding(
                    part=Part.LOG,
                    kind=Kind.APPLIED_UNKNOWN,
                    consumer=consumer,
                    event_id=event_id,
                    where=f"{LEDGERS[consumer]} {event_id}",
                    expected="the event in the log",
                    found="only its claim",
                    remedy="apply it to the log again, if Kafka still has it",
                    repaired=mended,
                )
            )
    return left


def compare(job: Job, consumer: Consumer, *, trusted: bool) -> None:
    """Name, and mend where asked, what the consumer did not apply, or applied and left open.

    `trusted` as in `projections.compare`. Raises KafkaUnavailable, ConsumersBehind, LogBehind,
    NotStill, CacheUnavailable.
    """
    asked = questions.not_applied(consumer, job.scope) if consumer in PROJECTIONS else ()
    for question in asked:
        if questions.note(question, job.display):
            job.settle()
        for ids in questions.suspects():
            found = questions.still_true(question, ids)
            _settle(job, question, found, trusted=trusted)
    open_ones = questions.contradicting(consumer, job.scope, None)
    if open_ones:
        job.settle()
    for first in range(0, len(open_ones), questions.AT_ONCE):
        some = open_ones[first : first + questions.AT_ONCE]
        found = questions.contradicting(consumer, job.scope, some)
        _close(job, consumer, found, trusted=trusted)


def _settle(job: Job, question: Question, ids: list[str], *, trusted: bool) -> None:
    consumer = question.consumer
    mend = job.repair and trusted and bool(ids)
    if mend:
        _drive(job, consumer, ids)
    for event_id in ids:
        job.report.add(
            Finding(
                part=Part.LOG,
                kind=Kind.NOT_APPLIED,
                consumer=consumer,
                event_id=event_id,
                where=f"{LEDGERS[consumer]} {event_id}",
                expected="applied, or in the dead letters",
                found="neither",
                remedy="apply it again from the log" if trusted else UNTRUSTED,
                repaired=mend,
            )
        )


def _close(job: Job, consumer: Consumer, ids: list[str], *, trusted: bool) -> None:
    mend = job.repair and bool(ids) and (trusted or consumer is Consumer.LOGGING)
    if mend and consumer is Consumer.LOGGING:
        with transaction.atomic():
            redrive.mark_applied(consumer, ids)
    elif mend:
        _drive(job, consumer, ids)
    for event_id in ids:
        job.report.add(
            Finding(
                part=Part.LOG,
                kind=Kind.APPLIED_AND_OPEN,
                consumer=consumer,
                event_id=event_id,
                where=f"dlq_events {event_id}",
                expected="applied or open in the dead letters",
                found="both",
                remedy="apply it again; the dead letter follows" if trusted else UNTRUSTED,
                repaired=mend,
            )
        )


def _drive(job: Job, consumer: Consumer, ids: Sequence[str]) -> None:
    """Apply the events anew and write their players absolutely, in one transaction.

    Whether only the claim was missing or the effect too is so of no matter.
    """
    projection = PROJECTIONS[consumer]
    places = _places(job, given.records(consumer, ids)) if consumer is Consumer.LEADERBOARDS else {}
    # Letters first: a replay holds its own when it comes to wait for the consumer to move.
    with transaction.atomic():
        letters.of_events(consumer, ids, lock=True)
        changes = _drive_still(projection, ids, places)
    projection.refresh(changes)


def _drive_still(
    projection: Projection, ids: Sequence[str], places: dict[str, tuple[Place, int]]
) -> Changes:
    consumer = projection.consumer
    changes: Changes = []
    with still(projection):
        records = given.records(consumer, ids)
        redrive.again(consumer, records, places)
        players: dict[str, set[str]] = defaultdict(set)
        for record in records:
            players[record.game_id].add(record.player_id)
        for game_id, some in sorted(players.items()):
            changes += projection.rebuild(game_id, sorted(some))
    return changes


def _places(job: Job, records: Sequence[Record]) -> dict[str, tuple[Place, int]]:
    """Coordinates of the events that the boards will refuse, for their dead letters."""
    definitions = boards.definitions({record.game_id for record in records})
    refused = []
    for record in records:
        try:
            scores(
                definitions[record.game_id],
                record.event_type,
                record.player_id,
                record.timestamp,
                bytes(record.data),
            )
        except EventRefused:
            refused.append(record.event_id)
    return {
        event_id: (found[0][0], found[0][1].offset)
        for event_id, found in kafka_log.find(job, refused).items()
    }
