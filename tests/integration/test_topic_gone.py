"""A log that was behind when its topic was deleted covers the boards once somebody says so."""

from __future__ import annotations

import uuid
from contextlib import closing

import pytest
import redis
from django.core.management import CommandError, call_command
from django.test import override_settings

from apps.contract.queues import Consumer
from apps.ledger.coverage import log_covers
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.reconcile.topic import Topic
from tests.builders import TOPIC_ID, chunk, record
from tests.kafka_clients import client_of
from tests.reconciling import World
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db


def behind(topic_id: uuid.UUID) -> None:
    """The boards have applied ten events of the topic that logging has not."""
    carried = chunk([record(offset) for offset in range(10)], topic_id=topic_id)
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], carried)
    ConsumerPosition.objects.create(
        consumer="logging", topic_id=topic_id, partition=0, next_offset=0
    )


def test_a_topic_that_is_gone_is_given_up_and_the_one_that_kafka_has_is_not(
    kafka: str, cache: redis.Redis
) -> None:
    world = World.new(client_of(kafka))
    with closing(Topic(world.client, world.topic)) as topic:
        live = topic.id
    behind(TOPIC_ID)
    behind(live)
    here = override_settings(KAFKA_CLIENT=world.client, KAFKA_TOPIC=world.topic)
    with here:
        call_command("topic_gone", str(TOPIC_ID))
    assert ConsumerPosition.objects.get(topic_id=TOPIC_ID).next_offset == 10
    with here, pytest.raises(CommandError):
        call_command("topic_gone", str(live))
    assert not log_covers(Consumer.LEADERBOARDS)
    ConsumerPosition.objects.filter(topic_id=live).update(next_offset=10)
    assert log_covers(Consumer.LEADERBOARDS)
