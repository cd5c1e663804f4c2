"""Quantiles read from Prometheus histograms."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Instrument

from apps.contract.queues import Consumer
from apps.demo.latency import EMPTY, Histogram, parse, pooled


def test_a_quantile_is_interpolated_inside_its_bucket() -> None:
    histogram = Histogram(counts={0.1: 0, 0.2: 10, math.inf: 10})
    assert histogram.quantile(0.5) == pytest.approx(0.15)
    assert histogram.quantile(1.0) == pytest.approx(0.2)


def test_the_first_bucket_begins_at_zero() -> None:
    assert Histogram(counts={0.1: 4, math.inf: 4}).quantile(0.5) == pytest.approx(0.05)


def test_an_empty_histogram_has_no_quantile() -> None:
    assert EMPTY.quantile(0.5) is None
    assert Histogram(counts={0.1: 0, math.inf: 0}).quantile(0.99) is None


def test_beyond_the_last_bound_that_bound_is_told() -> None:
    assert Histogram(counts={0.1: 1, math.inf: 100}).quantile(0.99) == 0.1


def test_only_what_came_after_the_first_look_counts() -> None:
    before = Histogram(counts={0.1: 5, 0.2: 5, math.inf: 5})
    after = Histogram(counts={0.1: 5, 0.2: 7, math.inf: 7})
    assert after.since(before).counts == {0.1: 0, 0.2: 2, math.inf: 2}
    assert after.since(EMPTY) == after


def test_a_worker_that_started_anew_counts_from_zero() -> None:
    before = Histogram(counts={0.1: 9, math.inf: 9})
    after = Histogram(counts={0.1: 2, math.inf: 2})
    assert after.since(before) == after


def test_pooled_histograms_add_up() -> None:
    one = Histogram(counts={0.1: 1, math.inf: 2})
    assert pooled([one, one]).counts == {0.1: 2, math.inf: 4}
    assert pooled([]).total == 0


def test_the_exported_text_is_read_for_one_consumer_alone() -> None:
    registry = CollectorRegistry()
    instrument = Instrument(
        "processing_latency_seconds", "Help.", ["consumer"], buckets=(0.1, 0.2), registry=registry
    )
    for seconds in (0.05, 0.15, 0.15, 5.0):
        instrument.labels(consumer="stats").observe(seconds)
    instrument.labels(consumer="logging").observe(0.01)
    text = generate_latest(registry).decode()
    assert parse(text, Consumer.STATS).counts == {0.1: 1, 0.2: 3, math.inf: 4}
    assert parse(text, Consumer.LEADERBOARDS).total == 0
