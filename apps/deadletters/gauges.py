"""What the web process shows of the dead letters."""

from __future__ import annotations

import logging

from django.db import DatabaseError
from django.db.models import Count

from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters.models import DeadLetter, DeadLetterJob
from apps.monitoring import metrics

logger = logging.getLogger(__name__)


def count_letters() -> None:
    """Set the gauges of open and replaying letters and of running jobs, from small indexes."""
    states = (DeadLetter.State.OPEN, DeadLetter.State.REPLAYING)
    rows = DeadLetter.objects.filter(state__in=states).values_list("state", "consumer_service")
    try:
        counts = {(state, name): n for state, name, n in rows.annotate(Count("id"))}
        running = DeadLetterJob.objects.filter(state=DeadLetterJob.State.RUNNING).count()
    except DatabaseError as error:
        logger.warning("dead letters not counted", extra={"error": str(error)})
        return
    for consumer in map(str, (BRIDGE, *Consumer)):
        for state, gauge in zip(
            states, (metrics.dead_letters_open, metrics.dead_letters_replaying), strict=True
        ):
            gauge.labels(consumer=consumer).set(counts.get((state, consumer), 0))
    metrics.dead_letter_jobs_running.set(running)
