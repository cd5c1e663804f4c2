"""What a pod may do, what it may know and whom it may talk to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.manifests import PODS, WORKERS, Pod, of_kind, template

KEYS = {"DJANGO_SECRET_KEY", "CHUNK_SIGNING_KEY", "MANAGEMENT_KEY", "INGEST_KEY", "READ_KEY"}
API_USER = {"API_KAFKA_USERNAME", "API_KAFKA_PASSWORD"}
BRIDGE_USER = {"BRIDGE_KAFKA_USERNAME", "BRIDGE_KAFKA_PASSWORD"}


def test_the_namespace_admits_only_restricted_pods() -> None:
    labels = of_kind("Namespace")["gamemetrics"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_within_the_restricted_profile(name: str) -> None:
    pod = Pod.of(name)
    assert pod.spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", PODS)
def test_a_pod_shares_nothing_of_its_node_and_writes_only_to_tmp(name: str) -> None:
    pod = Pod.of(name)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
    writable = [
        mount["mountPath"]
        for mount in pod.container["volumeMounts"]
        if not mount.get("readOnly", False)
    ]
    assert writable == ["/tmp"]
    kinds = {volume["name"]: set(volume) - {"name"} for volume in pod.spec["volumes"]}
    assert kinds == {"secrets": {"secret"}, "tmp": {"emptyDir"}}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_token_of_the_cluster(name: str) -> None:
    assert Pod.of(name).spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", PODS)
def test_no_service_of_the_cluster_sets_a_variable_of_ours(name: str) -> None:
    # A Service `flower` would set FLOWER_PORT, one called `redis` REDIS_PORT, both to tcp://...
    assert Pod.of(name).spec["enableServiceLinks"] is False


def test_applying_the_base_again_keeps_the_secret_that_is_there() -> None:
    assert not of_kind("Secret")


def test_the_template_is_empty() -> None:
    assert set(template()["stringData"].values()) == {""}
    assert "data" not in template()


def test_the_template_names_exactly_the_secrets_that_pods_use() -> None:
    used = {key for name in PODS for key in Pod.of(name).secret_files.values()}
    used |= {key for name in PODS for _, key in Pod.of(name).referenced.values()}
    assert set(template()["stringData"]) == used


@pytest.mark.parametrize("name", PODS)
def test_a_pod_mounts_the_secrets_that_it_reads_and_no_other(name: str) -> None:
    pod = Pod.of(name)
    read = {value for variable, value in pod.given.items() if variable.endswith("_FILE")}
    assert read == set(pod.secret_files)
    assert pod.secret["secretName"] == template()["metadata"]["name"]
    # Octal 440: for the process, by its group, and nobody else.
    assert pod.secret["defaultMode"] == 0o440


@pytest.mark.parametrize("name", PODS)
def test_no_secret_is_written_into_the_environment(name: str) -> None:
    written = {variable for variable, value in Pod.of(name).given.items() if value}
    assert not written & set(template()["stringData"])


@pytest.mark.parametrize("name", PODS)
def test_no_pod_takes_a_secret_by_its_environment(name: str) -> None:
    assert Pod.of(name).referenced == {}


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("web", {*KEYS, *API_USER, "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}),
        ("bridge", {*BRIDGE_USER, "DATABASE_URL", "CELERY_BROKER_URL", "CHUNK_SIGNING_KEY"}),
        *(
            (worker, {*KEYS, "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"})
            for worker in WORKERS
        ),
        ("flower", {"CELERY_BROKER_URL", "FLOWER_BASIC_AUTH"}),
        ("migrate", {*KEYS, "MIGRATE_DATABASE_URL"}),
    ],
)
def test_a_pod_knows_the_secrets_of_its_work_only(name: str, secrets: set[str]) -> None:
    assert set(Pod.of(name).secret_files.values()) == secrets


@pytest.mark.parametrize("name", [name for name in PODS if name != "flower"])
def test_a_pod_with_our_code_runs_as_production(name: str) -> None:
    assert Pod.of(name).given["GAMEMETRICS_ENV"] == "production"


def test_nothing_may_talk_unless_it_is_said_so() -> None:
    assert of_kind("NetworkPolicy")["default-deny"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def _selects(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    selector = policy["podSelector"]
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


def _ports(name: str, direction: str) -> set[int]:
    """The ports on which a pod may be called, or may call."""
    policies = [policy["spec"] for policy in of_kind("NetworkPolicy").values()]
    labels = dict(Pod.of(name).labels)
    return {
        port["port"]
        for policy in policies
        if _selects(policy, labels)
        for rule in policy.get(direction, [])
        for port in rule["ports"]
    }


DNS, KAFKA_PORTS, POSTGRES_PORTS, REDIS_PORTS = (
    {53}, {9092, 9093, 9094}, {5432, 6432}, {6379, 6380},
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("web", DNS | KAFKA_PORTS | POSTGRES_PORTS | REDIS_PORTS),
        ("bridge", DNS | KAFKA_PORTS | POSTGRES_PORTS | REDIS_PORTS),
        *((worker, DNS | POSTGRES_PORTS | REDIS_PORTS) for worker in WORKERS),
        ("flower", DNS | REDIS_PORTS),
        ("migrate", DNS | POSTGRES_PORTS),
    ],
)
def test_a_pod_calls_only_the_servers_of_its_work(name: str, calls: set[int]) -> None:
    assert _ports(name, "egress") == calls


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("web", {8080}),
        ("bridge", {9100}),
        *((worker, {9100}) for worker in WORKERS),
        ("flower", set()),
        ("migrate", set()),
    ],
)
def test_a_pod_is_called_only_where_it_serves(name: str, called: set[int]) -> None:
    assert _ports(name, "ingress") == called


def test_only_the_ingress_and_the_monitoring_call_in() -> None:
    callers = {
        caller["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for policy in of_kind("NetworkPolicy").values()
        for rule in policy["spec"].get("ingress", [])
        for caller in rule["from"]
    }
    assert callers == {"ingress-nginx", "monitoring"}
