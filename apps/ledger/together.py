"""Chunks of several partitions in one transaction, where nothing is the matter with any of them.

A transaction costs the same however few events are in it, and a steady stream brings a small chunk
from each partition. Whatever is not plain - a chunk that is done, an event that came before, one
that is refused - is left to `apply_chunk`, which takes each chunk by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from apps.contract.chunk import Chunk, joined
from apps.deadletters import transitions
from apps.failpoints.points import Failpoint, reach
from apps.ledger import chunks as ledger
from apps.ledger.failures import Failure, classify
from apps.ledger.services import ChunkConsumer


class _NotPlain(Exception):
    """Some chunk has to be taken by itself; the transaction is rolled back."""


def apply_together(consumer: ChunkConsumer, chunks: Sequence[Chunk]) -> list[Any] | None:
    """Apply every event of the chunks, or nothing: what Redis is to be written, or None.

    Not None: it is committed, no event came before, none is refused. Never raises, but MemoryError.
    """
    try:
        return _transact(consumer, chunks)
    except _NotPlain:
        return None
    except MemoryError:
        raise
    except Exception as error:
        if classify(error) is not Failure.POISON:
            # Of an outage; who takes the chunks by themselves shall meet it on a new one.
            connection.close()
        return None


def _transact(consumer: ChunkConsumer, chunks: Sequence[Chunk]) -> list[Any]:
    with transaction.atomic():
        if any(chunk.refused for chunk in chunks):
            raise _NotPlain
        if ledger.claim(consumer.name, chunks) != len(chunks):
            raise _NotPlain
        reach(Failpoint.WORKER_CLAIMED, consumer.name.value)
        records = joined(chunks)
        reach(Failpoint.WORKER_APPLYING, records)
        result = consumer.apply(records)
        if result.refused or result.applied != sum(chunk.events for chunk in chunks):
            raise _NotPlain
        reach(Failpoint.WORKER_APPLIED, consumer.name.value)
        transitions.close_repeated(consumer.name.value, records, [])
        for chunk in chunks:
            ledger.count(
                consumer.name,
                chunk,
                applied=chunk.events,
                duplicates=0,
                dead=0,
                cached=not result.changes,
            )
        reach(Failpoint.WORKER_LETTERED, consumer.name.value)
    return result.changes
