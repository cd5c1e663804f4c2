"""The overlay that lets KEDA choose the number of replicas."""

from __future__ import annotations

import inspect
import re

import pytest

from apps.contract.queues import Consumer
from apps.monitoring.metrics import SPECIFICATIONS
from gamemetrics.stack.topic import ensure_topic
from tests.manifests import AUTOSCALE, WORKERS, of_kind

SCALED = ("bridge", *WORKERS)


@pytest.mark.parametrize("name", SCALED)
def test_scaling_starts_where_the_base_stands(name: str) -> None:
    scaled = of_kind("ScaledObject", AUTOSCALE)[name]["spec"]
    assert scaled["scaleTargetRef"] == {"name": name}
    assert scaled["minReplicaCount"] == of_kind("Deployment")[name]["spec"]["replicas"]


@pytest.mark.parametrize("name", SCALED)
def test_an_apply_does_not_set_the_replicas_back(name: str) -> None:
    assert "replicas" not in of_kind("Deployment", AUTOSCALE)[name]["spec"]


def test_there_are_never_more_bridges_than_partitions() -> None:
    partitions = inspect.signature(ensure_topic).parameters["partitions"].default
    assert of_kind("ScaledObject", AUTOSCALE)["bridge"]["spec"]["maxReplicaCount"] == partitions


@pytest.mark.parametrize("name", SCALED)
def test_a_query_asks_for_a_metric_that_is_exported(name: str) -> None:
    (trigger,) = of_kind("ScaledObject", AUTOSCALE)[name]["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    exported = {spec.name: spec.labels for spec in SPECIFICATIONS}
    (metric,) = set(re.findall(r"\w+", query)) & exported.keys()
    assert set(re.findall(r"by \((\w+)\)|(\w+)=", query)) <= {
        pair for label in exported[metric] for pair in ((label, ""), ("", label))
    }


@pytest.mark.parametrize("consumer", Consumer)
def test_a_worker_is_scaled_by_its_own_queue(consumer: Consumer) -> None:
    scaled = of_kind("ScaledObject", AUTOSCALE)[f"worker-{consumer}"]["spec"]
    assert f'queue="{consumer.queue}"' in scaled["triggers"][0]["metadata"]["query"]
