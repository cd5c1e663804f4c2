"""k8s/base keeps what k8s/README.md promises, as far as that can be told without a cluster."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest

from tests.manifests import BASE, DEPLOYMENTS, PODS, WORKERS, Pod, of_kind, render, template
from tests.setting_names import OTHERS, read_by_the_code
from tests.stack_commands import in_a_container

# The oldest that k8s/README.md names, and the newest whose schemas are at hand.
VERSIONS = ("1.31.0", "1.37.0")
# Parts of which web's ALLOWED_HOSTS is put together.
PARTS = {"PUBLIC_HOSTS", "POD_IP"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_what_kubernetes_takes(version: str) -> None:
    for document in [*render(BASE), template()]:
        assert version.startswith(kubernetes_validate.validate(document, version, strict=True))


def test_the_workloads_run_in_the_promised_numbers() -> None:
    replicas = {name: found["spec"]["replicas"] for name, found in of_kind("Deployment").items()}
    assert replicas == {
        "web": 2, "bridge": 1, "worker-logging": 2, "worker-stats": 2, "worker-leaderboards": 1,
        "flower": 1,
    }  # fmt: skip


def test_everything_is_in_the_namespace() -> None:
    assert list(of_kind("Namespace")) == ["gamemetrics"]
    elsewhere = [
        document["metadata"]["name"]
        for document in render(BASE)
        if document["kind"] != "Namespace" and document["metadata"]["namespace"] != "gamemetrics"
    ]
    assert not elsewhere


@pytest.mark.parametrize("name", PODS)
def test_a_container_runs_the_command_of_the_local_stack(name: str) -> None:
    container = Pod.of(name).container
    assert container["args"] == in_a_container()[name]
    assert "command" not in container


@pytest.mark.parametrize("name", PODS)
def test_a_container_asks_for_256_mib_and_may_take_512(name: str) -> None:
    resources = Pod.of(name).container["resources"]
    assert resources["requests"]["memory"] == "256Mi"
    assert resources["requests"]["cpu"]
    assert resources["limits"] == {"memory": "512Mi"}


@pytest.mark.parametrize("name", PODS)
def test_every_setting_is_one_that_the_code_reads(name: str) -> None:
    names = {variable.removesuffix("_FILE") for variable in Pod.of(name).given}
    assert names - read_by_the_code() - OTHERS <= (PARTS if name == "web" else set())


@pytest.mark.parametrize("name", PODS)
def test_no_pod_is_given_a_setting_and_its_file(name: str) -> None:
    given = Pod.of(name).given
    assert not [variable for variable in given if f"{variable}_FILE" in given]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_probe_asks_an_address_that_tells_of_progress(name: str) -> None:
    ready = {"web": "/health/ready", "flower": "/healthcheck"}.get(name, "/health/live")
    alive = "/healthcheck" if name == "flower" else "/health/live"
    pod = Pod.of(name)
    wanted = {"startupProbe": alive, "livenessProbe": alive, "readinessProbe": ready}
    (port,) = pod.ports
    for probe, path in wanted.items():
        assert pod.container[probe]["httpGet"] == {"path": path, "port": port}


@pytest.mark.parametrize("name", ["bridge", *WORKERS])
def test_a_probe_finds_the_port_on_which_the_process_serves(name: str) -> None:
    pod = Pod.of(name)
    assert pod.ports == {"metrics": int(pod.given["METRICS_PORT"])}
    assert pod.given["METRICS_HOST"] == "0.0.0.0"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_unready_long_before_it_is_killed(name: str) -> None:
    container = Pod.of(name).container

    def seconds(probe: dict[str, Any]) -> int:
        return int(probe["periodSeconds"] * probe["failureThreshold"])

    assert seconds(container["readinessProbe"]) * 3 <= seconds(container["livenessProbe"])


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_outlives_a_minute_without_its_broker(name: str) -> None:
    # Its own answer turns to 503 after 60 s; the restart is for what does not come back.
    probe = Pod.of(name).container["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 120


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_stopped_by_a_plain_sigterm_within_its_grace(name: str) -> None:
    # Celery's soft shutdown would wait in the signal handler, on top of the chunk it waits for.
    pod = Pod.of(name)
    assert "REMAP_SIGTERM" not in pod.given
    assert pod.spec["terminationGracePeriodSeconds"] == 60


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_new_pod_works_before_an_old_one_goes(name: str) -> None:
    strategy = of_kind("Deployment")[name]["spec"]["strategy"]
    assert strategy == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@pytest.mark.parametrize("name", PODS)
def test_a_changed_setting_makes_new_pods(name: str) -> None:
    (config,) = of_kind("ConfigMap")
    prefix, _, fingerprint = config.rpartition("-")
    assert prefix == "gamemetrics-config"
    assert len(fingerprint) == 10
    # As text: it is also named by single variables.
    assert '"gamemetrics-config"' not in json.dumps(Pod.of(name).spec)


def test_web_answers_to_its_address_because_probes_and_prometheus_use_it() -> None:
    names = [entry["name"] for entry in Pod.of("web").container["env"]]
    assert Pod.of("web").given["ALLOWED_HOSTS"] == "$(PUBLIC_HOSTS),$(POD_IP)"
    # Kubernetes expands only what is defined further up.
    assert max(map(names.index, PARTS)) < names.index("ALLOWED_HOSTS")


def test_the_migration_ends_and_goes_away() -> None:
    job = of_kind("Job")["migrate"]["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["ttlSecondsAfterFinished"] > 0


def test_what_the_migration_needs_can_be_applied_before_the_rest() -> None:
    prepared = {
        (document["kind"], document["metadata"]["name"])
        for document in render(BASE)
        if document["metadata"]["labels"].get("gamemetrics/stage") == "prepare"
    }
    needed = {("Namespace", "gamemetrics"), ("Job", "migrate")}
    needed |= {(kind, name) for kind in ("ConfigMap", "NetworkPolicy") for name in of_kind(kind)}
    assert prepared == needed


@pytest.mark.parametrize("name", ["web", "bridge", *WORKERS])
def test_prometheus_finds_every_process_that_has_metrics(name: str) -> None:
    service = of_kind("Service")[name]
    annotations = service["metadata"]["annotations"]
    (port,) = Pod.of(name).ports.values()
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/metrics",
    }


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget"])
def test_every_service_and_budget_selects_the_pods_of_its_name(kind: str) -> None:
    for name, document in of_kind(kind).items():
        selector = document["spec"]["selector"]
        labels = selector.get("matchLabels", selector)
        assert [pod for pod in PODS if labels.items() <= Pod.of(pod).labels.items()] == [name]


@pytest.mark.parametrize("name", ["web", "flower", "bridge", *WORKERS])
def test_every_service_leads_to_a_port_that_its_pods_have(name: str) -> None:
    service = of_kind("Service")[name]["spec"]
    assert {port["targetPort"] for port in service["ports"]} == set(Pod.of(name).ports)


def test_a_drain_takes_one_pod_of_a_kind_at_a_time_and_is_never_stuck() -> None:
    budgets = of_kind("PodDisruptionBudget")
    assert set(budgets) == {"web", "bridge", *WORKERS}
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
