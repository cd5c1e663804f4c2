"""`manage.py topic_gone`: the log has what it will ever have of a deleted topic."""

from __future__ import annotations

import logging
import uuid
from argparse import ArgumentParser
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.ledger.coverage import give_up
from apps.reconcile.topic import KafkaUnavailable, Topic

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Refuses the id of the topic that Kafka has now."""

    help = (
        "Say that no chunk of a deleted topic is on the queues any more: logging counts as having "
        "applied it as far as the others did, so that boards can be declared again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("topic_id", type=uuid.UUID, help="Kafka's id of the deleted topic")

    def handle(self, *args: Any, **options: Any) -> None:
        gone: uuid.UUID = options["topic_id"]
        try:
            with closing(Topic(settings.KAFKA_CLIENT, settings.KAFKA_TOPIC)) as topic:
                live = topic.id
        except KafkaUnavailable as error:
            raise CommandError(f"Kafka does not tell which topic it has: {error}") from error
        if gone == live:
            raise CommandError(f"{gone} is the topic that Kafka has now")
        partitions = give_up(gone)
        logger.warning(
            "log gives up a deleted topic",
            extra={"topic_id": str(gone), "partitions": partitions},
        )
        self.stdout.write(f"{len(partitions)} partitions given up")
