"""Every container of k8s/base starts as it is written, answers its probes and does its work.

The commands and the environment are the rendered ones, production's demands included; the files of
the Secret are real files. What only a cluster can show is not shown: the image, the network
policies and the restricted profile.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.topic import ensure_topic
from tests.acceptance.pods import Node, RunningPod
from tests.acceptance.waiting import until
from tests.manifests import DEPLOYMENTS, WORKERS, template
from tests.services import reserve_ports

PUBLIC = "events.example.com"
HOSTS = {"ALLOWED_HOSTS": PUBLIC}
DATABASE = "kubernetes_pods"


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    """An empty database, which the migrate Job is to fill."""
    connection = psycopg2.connect(postgres)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    connection.close()
    return urlsplit(postgres)._replace(path=f"/{DATABASE}").geturl()


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, database: str, redis_server: str, kafka: str
) -> Iterator[Node]:
    """All pods of the base, migrated; at the end each must stop by SIGTERM within its grace."""
    topic = f"kubernetes-pods-{secrets.token_hex(4)}"
    ensure_topic(kafka, topic)
    # Databases that no other test uses.
    redis = urlsplit(redis_server)
    known = {
        "DATABASE_URL": database,
        "MIGRATE_DATABASE_URL": database,
        "REDIS_URL": redis._replace(path="/6").geturl(),
        "CELERY_BROKER_URL": redis._replace(path="/5").geturl(),
        **{key: "" for key in template()["stringData"] if "KAFKA" in key},
        "FLOWER_BASIC_AUTH": "operator:a-password",
    }
    node = Node(
        home=tmp_path_factory.mktemp("node"),
        secrets={key: known.get(key, secrets.token_hex(24)) for key in template()["stringData"]},
        settings={
            **HOSTS,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": topic,
            "PGSSLMODE": "disable",
            "METRICS_HOST": HOST,
        },
    )
    node.mount()
    job = node.start("migrate", 0)
    assert job.process.wait(120) == 0, job.tail()
    del node.running["migrate"]
    try:
        for name, port in zip(DEPLOYMENTS, reserve_ports(len(DEPLOYMENTS)), strict=True):
            node.start(name, port)
        yield node
    finally:
        ended = node.stop()
    # Celery ends a soft shutdown with 1 where something was given back; none was killed.
    assert all(code >= 0 for code in ended.values()), ended


@pytest.fixture
def clients(node: Node) -> Iterator[httpx.Client]:
    """A client of the ingress: TLS has ended, the public name is kept."""
    web = node.running["web"]
    web.becomes("readinessProbe")
    headers = {"Host": PUBLIC, "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=f"http://{HOST}:{web.port}", headers=headers) as client:
        yield client


def _bearer(node: Node, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {node.secrets[key]}"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_becomes_live_and_ready_by_its_own_probes(node: Node, name: str) -> None:
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        node.running[name].becomes(kind)


@pytest.mark.parametrize("name", ["web", "bridge", "worker-stats"])
def test_prometheus_scrapes_a_pod_by_its_address(node: Node, name: str) -> None:
    pod = node.running[name]
    pod.becomes("startupProbe")
    assert httpx.get(f"http://{HOST}:{pod.port}/metrics").status_code == 200


def test_an_event_goes_through_every_pod(node: Node, clients: httpx.Client) -> None:
    event = {
        "event_type": "player_score", "player_id": "ada", "game_id": "chess",
        "timestamp": "2024-01-15T10:00:00Z", "data": {"score": 7},
    }  # fmt: skip
    sent = clients.post("/api/v1/events", json=event, headers=_bearer(node, "INGEST_KEY"))
    assert sent.status_code == 202, sent.text

    def read(path: str) -> httpx.Response:
        return clients.get(path, headers=_bearer(node, "READ_KEY"))

    def counted() -> bool:
        told = read("/api/v1/players/ada/stats?game_id=chess")
        return told.status_code == 200 and told.json()["total_events"] == 1

    def ranked() -> bool:
        told = read("/api/v1/leaderboards/chess/default")
        return told.status_code == 200 and [
            (entry["player_id"], entry["score"]) for entry in told.json()["entries"]
        ] == [("ada", 7)]

    until(counted, "the statistics have the event")
    until(ranked, "the leaderboard has the event")


def test_without_a_key_nothing_is_taken_and_nothing_told(clients: httpx.Client) -> None:
    assert clients.post("/api/v1/events", json={}).status_code == 401
    assert clients.get("/api/v1/leaderboards/chess/default").status_code == 401


def test_flower_asks_for_its_password(node: Node) -> None:
    flower: RunningPod = node.running["flower"]
    flower.becomes("readinessProbe")
    url = f"http://{HOST}:{flower.port}/workers"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("operator", "a-password")).status_code == 200


@pytest.mark.parametrize("name", ["web", *WORKERS, "migrate"])
def test_an_unfilled_secret_stops_the_process_by_the_name_of_the_setting(
    tmp_path: Path, name: str
) -> None:
    node = Node(home=tmp_path, secrets=template()["stringData"], settings=HOSTS)
    node.mount()
    pod = node.start(name, *reserve_ports(1))
    try:
        until(pod.process.poll, f"{name} refuses to start")
        assert pod.process.returncode > 0
        assert "DJANGO_SECRET_KEY: is required" in pod.tail()
    finally:
        node.stop()
