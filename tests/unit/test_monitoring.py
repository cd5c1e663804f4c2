"""What a process shows of itself: its metrics, all of them specified, and whether it moves."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from apps.ingest.rate_limit import TokenBucket
from apps.monitoring import metrics
from apps.monitoring.many_histogram import ManyHistogram
from apps.monitoring.metrics import LATENCY_BUCKETS
from apps.monitoring.progress import Progress
from apps.monitoring.server import MonitoringServer, serve

KINDS = {Counter: "counter", Gauge: "gauge", ManyHistogram: "histogram"}
REQUIRED = {
    *("events_received_total", "events_published_total", "events_failed_total"),
    *("http_request_duration_seconds", "events_processed_total", "processing_latency_seconds"),
    *("database_write_seconds", "consumer_lag", "errors_total", "dead_letters_open"),
    *("queue_depth", "oldest_unapplied_event_age_seconds", "inflight_chunks"),
}


@pytest.fixture
def progress() -> Progress:
    return Progress(within_seconds=60.0)


@pytest.fixture
def server(progress: Progress) -> Iterator[MonitoringServer]:
    started = serve("127.0.0.1", 0, progress)
    yield started
    started.shutdown()
    started.server_close()


def get(server: MonitoringServer, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def exported() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The metrics that the module has: name -> kind and labels."""
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | ManyHistogram):
            kind = KINDS[type(metric)]
            (family,) = metric.describe()
            name = f"{family.name}_total" if kind == "counter" else family.name
            found[name] = (kind, tuple(metric._labelnames))
    return found


def test_every_metric_is_specified_and_every_specification_is_a_metric() -> None:
    specified = {spec.name: (spec.kind, spec.labels) for spec in metrics.SPECIFICATIONS}
    assert exported() == specified
    assert len(specified) == len(metrics.SPECIFICATIONS)
    assert specified.keys() >= REQUIRED


def test_every_specification_says_what_it_means_and_what_to_do() -> None:
    for spec in metrics.SPECIFICATIONS:
        assert spec.meaning.endswith(".")
        assert spec.remedy.endswith(".")


def test_nothing_of_ours_is_registered_without_a_specification() -> None:
    specified = {spec.name.removesuffix("_total") for spec in metrics.SPECIFICATIONS}
    registered = {family.name for family in REGISTRY.collect()}
    foreign = {name for name in registered if name.startswith(("python_", "process_"))}
    assert registered - foreign == specified


def test_metrics_are_answered_in_prometheus_format(server: MonitoringServer) -> None:
    status, text = get(server, "/metrics")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert status == 200
    assert {"events_processed", "consumer_lag", "database_write_seconds"} <= names


def test_a_process_that_moves_is_live(server: MonitoringServer) -> None:
    status, text = get(server, "/health/live")
    assert (status, json.loads(text)["status"]) == (200, "live")


def test_a_stalled_process_is_not_live_until_it_moves_again(
    server: MonitoringServer, progress: Progress
) -> None:
    progress._last = time.monotonic() - 61
    status, text = get(server, "/health/live")
    assert (status, json.loads(text)["status"]) == (503, "stalled")
    assert float(json.loads(text)["idle_seconds"]) >= 61
    progress.beat()
    assert get(server, "/health/live")[0] == 200


def test_there_is_nothing_else(server: MonitoringServer) -> None:
    assert get(server, "/admin/")[0] == 404


def test_a_taken_port_is_an_error(server: MonitoringServer, progress: Progress) -> None:
    with pytest.raises(OSError, match="in use"):
        serve("127.0.0.1", int(server.server_address[1]), progress)


def test_a_bucket_gives_one_seconds_worth_and_then_at_its_rate() -> None:
    bucket = TokenBucket(rate=4.0)
    assert [bucket.take(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.0, 0.25]
    assert bucket.take(100.2) == pytest.approx(0.05)
    assert bucket.take(100.25) == 0.0
    assert bucket.take(100.25) == pytest.approx(0.25)


def test_a_bucket_never_holds_more_than_a_seconds_worth() -> None:
    bucket = TokenBucket(rate=2.0)
    bucket.take(0.0)
    assert [bucket.take(3600.0) for _ in range(3)] == [0.0, 0.0, 0.5]


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    bucket = TokenBucket(rate=1.0)
    bucket.take(100.0)
    assert bucket.take(99.0) > 0
    assert bucket.take(100.5) > 0
    assert bucket.take(102.0) == 0.0


def test_observations_of_a_chunk_leave_what_each_alone_would() -> None:
    amounts = [0.0, 0.002, 0.0021, 0.0499, 0.05, 0.05, 7.0, 3600.0, 9000.0]
    alone, together = CollectorRegistry(), CollectorRegistry()
    one_by_one = ManyHistogram("latency", "-", buckets=LATENCY_BUCKETS, registry=alone)
    at_once = ManyHistogram("latency", "-", buckets=LATENCY_BUCKETS, registry=together)
    for amount in amounts:
        one_by_one.observe(amount)
    at_once.observe_all(amounts[4:])
    at_once.observe_all(amounts[:4])
    at_once.observe_all([])

    def numbers(registry: CollectorRegistry) -> dict[str, float]:
        return {
            f"{sample.name}{sample.labels}": sample.value
            for metric in registry.collect()
            for sample in metric.samples
            if not sample.name.endswith("_created")
        }

    assert numbers(together) == pytest.approx(numbers(alone))
