"""Starting the partitions that the group gave us, from PostgreSQL's positions."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping

from apps.contract.queues import Consumer
from apps.monitoring import metrics
from bridge.ledger import Ledger
from bridge.partition import Partition
from bridge.source import Ends, Source

logger = logging.getLogger(__name__)


def start(
    source: Source, ledger: Ledger, *, topic: str, topic_id: uuid.UUID, numbers: Iterable[int]
) -> dict[int, Partition]:
    """Read each partition from the lowest position of its consumers.

    A partition that was truncated is left out, and shown as such.

    Raises LedgerUnavailable, SourceUnavailable.
    """
    ends = {number: source.ends(number) for number in numbers}
    starts = {number: end.low for number, end in ends.items()}
    positions = ledger.positions(topic_id, starts)
    truncated = {
        number for number in ends if _is_truncated(source, number, positions[number], ends[number])
    }
    metrics.partition_truncated.clear()  # another bridge may have them now
    for number in ends:
        metrics.partition_truncated.labels(partition=number).set(number in truncated)
    partitions = {
        number: Partition.starting(topic, topic_id, number, positions[number])
        for number in ends
        if number not in truncated
    }
    offsets = {}
    for number, partition in partitions.items():
        oldest = ends[number].low
        offsets[number] = max(partition.low_watermark, oldest)
        if partition.low_watermark < oldest:
            _skip_gap(partition, oldest)
    source.start(offsets)
    logger.info("partitions started", extra={"offsets": offsets})
    return partitions


def report_recreated(topic: str, topic_id: uuid.UUID) -> None:
    """The topic was deleted and made anew: positions of the old one say nothing about it."""
    metrics.topic_recreated.inc()
    logger.critical(
        "the topic was deleted and made anew; it is read from its start",
        extra={"topic": topic, "topic_id": str(topic_id)},
    )


def _is_truncated(
    source: Source, number: int, positions: Mapping[Consumer, int], end: Ends
) -> bool:
    """Whether the partition ends before a position: it lost records that were applied.

    New events take the offsets of lost ones then, and would be skipped as applied. Not ours to
    mend; the partition waits, and the others go on.
    """
    furthest = max(positions.values())
    # Asked again: a bridge before us may have moved the position after we asked for the end.
    if furthest <= end.high or furthest <= (high := source.ends(number).high):
        return False
    logger.critical(
        "partition ends before what was applied; it is not read",
        extra={"partition": number, "position": furthest, "end": high},
    )
    return True


def _skip_gap(partition: Partition, oldest: int) -> None:
    """The first chunk spans the gap, so that the watermark passes it."""
    logger.critical(
        "retention has overtaken the bridge; events are lost",
        extra={
            "partition": partition.number,
            "position": partition.low_watermark,
            "oldest": oldest,
        },
    )
    for consumer, lost in partition.skip_to(oldest).items():
        metrics.offsets_lost.labels(consumer=consumer.value).inc(lost)
