"""Starting the partitions that the group gave us, from PostgreSQL's positions."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable

from bridge.ledger import Ledger
from bridge.partition import Partition
from bridge.source import Source

logger = logging.getLogger(__name__)


class TopicShorter(Exception):
    """The topic ends before a position: it lost records that were applied. Not ours to mend."""


def start(
    source: Source, ledger: Ledger, *, topic: str, topic_id: uuid.UUID, numbers: Iterable[int]
) -> dict[int, Partition]:
    """Read each partition from the lowest position of its consumers.

    Raises LedgerUnavailable, SourceUnavailable, TopicShorter.
    """
    ends = {number: source.ends(number) for number in numbers}
    starts = {number: end.low for number, end in ends.items()}
    positions = ledger.positions(topic_id, starts)
    partitions = {
        number: Partition.starting(topic, topic_id, number, positions[number]) for number in ends
    }
    offsets = {}
    for number, partition in partitions.items():
        position, end = partition.low_watermark, ends[number]
        if position > end.high:
            raise TopicShorter(f"partition {number} ends at {end.high}, before {position}")
        if position < end.low:
            # The first chunk spans the gap, so that the watermark passes it.
            logger.critical(
                "retention has overtaken the bridge; events are lost",
                extra={"partition": number, "position": position, "oldest": end.low},
            )
        offsets[number] = max(position, end.low)
    source.start(offsets)
    logger.info("partitions started", extra={"offsets": offsets})
    return partitions
