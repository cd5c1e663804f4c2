"""Every metric that a process exports: a closed set, each with its meaning and its remedy.

`docs/metrics.md` is generated from SPECIFICATIONS (`manage.py metrics_reference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import Counter, Gauge

from apps.monitoring.many_histogram import ManyHistogram

# Seconds. Fine around the 50 ms that the pipeline promises, so that a quantile read from the
# buckets is within about 10 % there.
LATENCY_BUCKETS: Final = (
    *(0.002, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.045, 0.05),
    *(0.06, 0.07, 0.08, 0.09, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Specification:
    """One metric: what it counts, in which unit, and what to do when it misbehaves."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    process: str
    labels: tuple[str, ...] = ()
    meaning: str
    remedy: str


SPECIFICATIONS: Final = (
    Specification(
        name="events_received_total",
        kind="counter",
        process="web",
        meaning="Events that arrived at POST /api/v1/events, valid or not.",
        remedy="A fall to zero: clients cannot reach the API.",
    ),
    Specification(
        name="events_published_total",
        kind="counter",
        process="web",
        meaning="Events that Kafka confirmed (acks=all).",
        remedy="Below received minus failed: look at events_failed_total.",
    ),
    Specification(
        name="events_failed_total",
        kind="counter",
        process="web",
        labels=("code",),
        meaning="Events that were not accepted, by the code of their receipt.",
        remedy="kafka_unavailable: look at the broker. Any other code: a client sends bad events.",
    ),
    Specification(
        name="http_request_duration_seconds",
        kind="histogram",
        process="web",
        labels=("method", "route", "status"),
        meaning="From the request's arrival in Django to its answer.",
        remedy="Slow POSTs: Kafka's confirmation or too few web processes.",
    ),
    Specification(
        name="events_processed_total",
        kind="counter",
        process="worker",
        labels=("consumer", "outcome"),
        meaning="Events of committed chunks; outcome is applied, duplicate or dead.",
        remedy="Flat while events are published: see errors_total and consumer_lag.",
    ),
    Specification(
        name="processing_latency_seconds",
        kind="histogram",
        process="worker",
        labels=("consumer",),
        meaning="From accept (ingested_at) to the commit in this consumer.",
        remedy="High with a low lag: the chunk's writes are slow; with a high lag: add workers.",
    ),
    Specification(
        name="database_write_seconds",
        kind="histogram",
        process="worker",
        labels=("consumer",),
        meaning="One chunk's transaction, begin to commit.",
        remedy="Growing: look for locks, missing vacuum or a full disk in PostgreSQL.",
    ),
    Specification(
        name="errors_total",
        kind="counter",
        process="worker, bridge, web",
        labels=("consumer", "cause"),
        meaning="Failures: poison (events); outage, kafka_denied and deploy_fault (attempts).",
        remedy="outage: a server is away. kafka_denied: the log names the setting or the ACL."
        " deploy_fault: roll back; nothing was dead-lettered.",
    ),
    Specification(
        name="consumer_stopped",
        kind="gauge",
        process="worker",
        labels=("consumer",),
        meaning="1 while the consumer holds its line because of a deploy fault.",
        remedy="Read the worker's log, fix the deploy; the consumer goes on by itself.",
    ),
    Specification(
        name="breaker_tripped",
        kind="gauge",
        process="worker",
        labels=("consumer",),
        meaning="1 while the consumer stands still rather than dead-letter most of what it gets.",
        remedy="Fix the deploy that refuses good events, or let them through: breaker allow.",
    ),
    Specification(
        name="consumer_lag",
        kind="gauge",
        process="bridge",
        labels=("partition",),
        meaning="Events between the partition's end and the low watermark of all consumers.",
        remedy="Growing: consumers are slower than the producers, or one has stopped.",
    ),
    Specification(
        name="inflight_chunks",
        kind="gauge",
        process="bridge",
        labels=("partition",),
        meaning="Chunks published to the queues and not yet done by all three consumers.",
        remedy="At its bound: the partition is paused until the consumers catch up.",
    ),
    Specification(
        name="oldest_unapplied_event_age_seconds",
        kind="gauge",
        process="bridge",
        meaning="Age of the oldest accepted event that some consumer has not committed.",
        remedy="Above a minute: see which queue is deep and whether its worker lives.",
    ),
    Specification(
        name="queue_depth",
        kind="gauge",
        process="bridge",
        labels=("queue",),
        meaning="Messages waiting in the Celery queue.",
        remedy="Growing on one queue: that consumer needs workers.",
    ),
    Specification(
        name="chunks_published_total",
        kind="counter",
        process="bridge",
        labels=("consumer", "reason"),
        meaning="Chunks sent to a queue; reason is first or lease (sent again, not yet done).",
        remedy="Many leases: workers die, or tasks are lost in the broker.",
    ),
    Specification(
        name="queue_messages_refused_total",
        kind="counter",
        process="worker",
        labels=("consumer", "reason"),
        meaning="Messages on a queue that the bridge did not send; reason is seal, shape or task.",
        remedy="Somebody else writes to the broker, or bridge and workers have different "
        "CHUNK_SIGNING_KEYs. Nothing is lost: the bridge sends its chunks again.",
    ),
    Specification(
        name="messages_refused_total",
        kind="counter",
        process="bridge",
        labels=("code",),
        meaning="Messages on the topic that are no valid event; they become dead letters.",
        remedy="Somebody writes to the topic past the API: see the dead letters of 'bridge'.",
    ),
    Specification(
        name="offsets_lost_total",
        kind="counter",
        process="bridge",
        labels=("consumer",),
        meaning="Offsets that retention took before the consumer was known to have applied them.",
        remedy="Dead letters with cause retention_gap name them; lengthen the topic's retention.",
    ),
    Specification(
        name="partition_truncated",
        kind="gauge",
        process="bridge",
        labels=("partition",),
        meaning="1 while a partition is not read because it ends before what was applied.",
        remedy="Kafka lost records (unclean election): see docs/decisions/0028.",
    ),
    Specification(
        name="topic_recreated_total",
        kind="counter",
        process="bridge",
        meaning="Times that the topic was found deleted and made anew; it is read from its start.",
        remedy="What the old topic held and was not applied is gone: ask who deleted it.",
    ),
    Specification(
        name="dead_letters_open",
        kind="gauge",
        process="web",
        labels=("consumer",),
        meaning="Dead letters that nobody has replayed or discarded.",
        remedy="Read them in the admin: each has its cause.",
    ),
    Specification(
        name="dead_letters_replaying",
        kind="gauge",
        process="web",
        labels=("consumer",),
        meaning="Dead letters that were released and are not applied yet.",
        remedy="Not falling: the bridge or that consumer's worker is away, or holds its line.",
    ),
    Specification(
        name="dead_letter_jobs_running",
        kind="gauge",
        process="web",
        meaning="Bulk replays and discards that are running.",
        remedy="See its page in the admin; pause or cancel it there.",
    ),
    Specification(
        name="dead_letters_replayed_total",
        kind="counter",
        process="worker",
        labels=("consumer", "outcome"),
        meaning="Replays; outcome is applied, duplicate (no effect) or failed (open again).",
        remedy="Many failed: the cause is not mended yet; edit the events or discard them.",
    ),
    Specification(
        name="dead_letters_sent_total",
        kind="counter",
        process="bridge",
        labels=("consumer", "reason"),
        meaning="Dead letters sent to a queue; reason is first or lease (sent again).",
        remedy="Many leases: the worker is away or dies of a letter.",
    ),
)

_BY_NAME: Final = {spec.name: spec for spec in SPECIFICATIONS}


def _counter(name: str) -> Counter:
    spec = _BY_NAME[name]
    return Counter(name, spec.meaning, spec.labels)


def _gauge(name: str) -> Gauge:
    spec = _BY_NAME[name]
    return Gauge(name, spec.meaning, spec.labels)


def _histogram(name: str) -> ManyHistogram:
    spec = _BY_NAME[name]
    return ManyHistogram(name, spec.meaning, spec.labels, buckets=LATENCY_BUCKETS)


events_received = _counter("events_received_total")
events_published = _counter("events_published_total")
events_failed = _counter("events_failed_total")
http_request_duration = _histogram("http_request_duration_seconds")
events_processed = _counter("events_processed_total")
processing_latency = _histogram("processing_latency_seconds")
database_write = _histogram("database_write_seconds")
errors = _counter("errors_total")
consumer_stopped = _gauge("consumer_stopped")
breaker_tripped = _gauge("breaker_tripped")
consumer_lag = _gauge("consumer_lag")
inflight_chunks = _gauge("inflight_chunks")
oldest_unapplied_age = _gauge("oldest_unapplied_event_age_seconds")
queue_depth = _gauge("queue_depth")
chunks_published = _counter("chunks_published_total")
queue_messages_refused = _counter("queue_messages_refused_total")
messages_refused = _counter("messages_refused_total")
offsets_lost = _counter("offsets_lost_total")
partition_truncated = _gauge("partition_truncated")
topic_recreated = _counter("topic_recreated_total")
dead_letters_open = _gauge("dead_letters_open")
dead_letters_replaying = _gauge("dead_letters_replaying")
dead_letter_jobs_running = _gauge("dead_letter_jobs_running")
dead_letters_replayed = _counter("dead_letters_replayed_total")
dead_letters_sent = _counter("dead_letters_sent_total")
