"""What the web process shows of the dead letters."""

from __future__ import annotations

import logging

from django.db import DatabaseError
from django.db.models import Count

from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters.models import DeadLetter
from apps.monitoring import metrics

logger = logging.getLogger(__name__)


def count_open() -> None:
    """Set `dead_letters_open`; the partial index over open letters answers it."""
    rows = DeadLetter.objects.filter(state=DeadLetter.State.OPEN).values_list("consumer_service")
    try:
        counts = dict(rows.annotate(Count("id")))
    except DatabaseError as error:
        logger.warning("dead letters not counted", extra={"error": str(error)})
        return
    for consumer in (BRIDGE, *Consumer):
        metrics.dead_letters_open.labels(consumer=str(consumer)).set(counts.get(consumer, 0))
