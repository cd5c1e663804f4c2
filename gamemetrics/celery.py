"""The Celery app: the courier. What must not be lost is in Kafka and PostgreSQL."""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import (
    heartbeat_sent,
    setup_logging,
    task_rejected,
    task_unknown,
    worker_init,
)
from kombu import Queue

from apps.contract.queues import Consumer
from apps.monitoring import metrics
from gamemetrics import broker
from gamemetrics.environment import Environment, log_level
from gamemetrics.log_config import logging_config
from gamemetrics.redis_urls import celery_broker_url

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gamemetrics.settings")
_env = Environment.of_process()
if _env.values.get("FLOWER_BASIC_AUTH_FILE"):
    # Flower itself reads the environment only, and only after this module is loaded.
    os.environ["FLOWER_BASIC_AUTH"] = _env.required("FLOWER_BASIC_AUTH", "Flower's user:password")

broker.install()
app = Celery("gamemetrics", events="gamemetrics.task_events:SparingEvents")
app.conf.update(
    broker_url=celery_broker_url(_env),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        # One list a queue: none of our messages goes before another.
        "priority_steps": [0],
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    task_queues=[Queue(consumer.queue) for consumer in Consumer],
    task_default_queue=Consumer.LOGGING.queue,
    task_create_missing_queues=False,
    task_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_publish_retry=False,
    worker_prefetch_multiplier=2,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_send_task_events=False,
    enable_utc=True,
    imports=[f"apps.{name}.tasks" for name in ("events", "stats", "leaderboards")],
    # A new connection for every task costs more than the chunk's own writes. A stale one is an
    # outage that `persist` knows: it closes the connection and applies the chunk again.
    CELERY_DB_REUSE_MAX=10_000,
)


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    logging.config.dictConfig(logging_config(log_level(_env)))


@worker_init.connect
def _serve_monitoring(**_: Any) -> None:
    # Django is set up by now; the doors import its models.
    from apps.ledger.door import progress
    from apps.monitoring.server import serve

    heartbeat_sent.connect(lambda **_: progress.beat(), weak=False)
    for refused in (task_unknown, task_rejected):
        refused.connect(_count_refused, weak=False)
    port = _env.integer("METRICS_PORT", 0, at_least=0, at_most=65535)
    if port:
        serve(_env.text("METRICS_HOST", "127.0.0.1"), port, progress)


def _count_refused(message: Any, **_: Any) -> None:
    """Celery itself refused a message: of an unknown task, or not in JSON."""
    queue = str((message.delivery_info or {}).get("routing_key"))
    known = queue if queue in set(Consumer) else "unknown"
    metrics.queue_messages_refused.labels(consumer=known, reason="task").inc()
