"""Latency from accept to commit, read from the workers' Prometheus histograms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from apps.contract.queues import Consumer
from apps.demo.connections import client

METRIC: Final = "processing_latency_seconds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound (seconds); the last bound is infinite."""

    counts: Mapping[float, float]

    @property
    def total(self) -> int:
        return int(self.counts.get(math.inf, 0))

    def since(self, before: Histogram) -> Histogram:
        """What was observed after `before`; a process that started anew counts from zero."""
        if before.total > self.total:
            return self
        return Histogram(
            counts={bound: n - before.counts.get(bound, 0) for bound, n in self.counts.items()}
        )

    def quantile(self, q: float) -> float | None:
        """Seconds, interpolated inside the bucket as Prometheus does; None of an empty one.

        Beyond the last finite bound that bound is given: it is a lower limit then.
        """
        rank = q * self.counts.get(math.inf, 0)
        if rank <= 0:
            return None
        low, below = 0.0, 0.0
        for bound, count in sorted(self.counts.items()):
            if count >= rank:
                if bound == math.inf:
                    return low
                return low + (bound - low) * (rank - below) / (count - below)
            low, below = bound, count
        return None


EMPTY: Final = Histogram(counts={})


def pooled(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram of all observations; the bounds are the same everywhere."""
    counts: dict[float, float] = {}
    for histogram in histograms:
        for bound, count in histogram.counts.items():
            counts[bound] = counts.get(bound, 0) + count
    return Histogram(counts=counts)


def parse(text: str, consumer: Consumer) -> Histogram:
    """The consumer's latency in a page of Prometheus's text format."""
    return Histogram(
        counts={
            float(sample.labels["le"]): sample.value
            for family in text_string_to_metric_families(text)
            if family.name == METRIC
            for sample in family.samples
            if sample.name == f"{METRIC}_bucket" and sample.labels.get("consumer") == consumer
        }
    )


def scrape(urls: Mapping[Consumer, str]) -> dict[Consumer, Histogram]:
    """What each worker has observed so far; a worker that does not answer is left out."""
    found = {}
    for consumer, url in urls.items():
        try:
            with client(url) as http:
                page = http.get(url).raise_for_status().text
        except httpx.HTTPError:
            continue
        found[consumer] = parse(page, consumer)
    return found
