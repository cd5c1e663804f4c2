"""The whole pipeline as docs/security.md sets it up, with no secret in any environment.

Kafka over SASL_SSL with one user for the API and one for the bridge, each with the ACLs of its
work only; a role of PostgreSQL that owns no table; two Redis with users of least privilege; every
secret in a file of mode 600;
GAMEMETRICS_ENV=production.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest
import redis

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.postgres import OWNER, SUPERUSER
from gamemetrics.stack.processes import environment_of
from tests.acceptance.waiting import until
from tests.deployments import Running, deployment
from tests.redis_servers import acl, run_redis
from tests.secured_kafka import GROUP, TOPIC, SecuredKafka, User
from tests.security_page import BROKER_RULES, CACHE_RULES, grants
from tests.services import TestRun

WORKERS = ("worker-logging", "worker-stats", "worker-leaderboards")
KEYS = {name: secrets.token_hex(24) for name in ("MANAGEMENT_KEY", "INGEST_KEY", "READ_KEY")}
HEADERS = {"X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def role(secured_database: str, services_of_this_run: TestRun) -> str:
    """DATABASE_URL of a role that owns nothing and has the rights of docs/security.md."""
    server = services_of_this_run.start("postgres")
    password = secrets.token_hex(12)
    connection = psycopg2.connect(
        secured_database,
        user=SUPERUSER,
        password=server.credentials.database_superuser_password,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE gm_app LOGIN PASSWORD %s", [password])
        cursor.execute(grants("secured", OWNER, "gm_app"))
    connection.close()
    place = urlsplit(secured_database)
    return place._replace(netloc=f"gm_app:{password}@{HOST}:{place.port}").geturl()


@pytest.fixture(scope="module")
def known(role: str) -> Iterator[dict[str, str]]:
    """The secrets that every process may need, by setting."""
    broker_password, cache_password = secrets.token_hex(12), secrets.token_hex(12)
    with ExitStack() as servers:
        broker, cache = (
            servers.enter_context(
                run_redis("user default off", acl("gamemetrics", password, rules))
            )
            for password, rules in (
                (broker_password, BROKER_RULES),
                (cache_password, CACHE_RULES),
            )
        )
        yield {
            **KEYS,
            "DJANGO_SECRET_KEY": secrets.token_hex(32),
            "CHUNK_SIGNING_KEY": secrets.token_hex(32),
            "DATABASE_URL": role,
            "CELERY_BROKER_URL": f"redis://gamemetrics:{broker_password}@{HOST}:{broker}/0",
            "REDIS_URL": f"redis://gamemetrics:{cache_password}@{HOST}:{cache}/0",
            "FLOWER_BASIC_AUTH": f"operator:{secrets.token_hex(12)}",
        }


@pytest.fixture(scope="module")
def processes(secured_kafka: SecuredKafka, known: dict[str, str]) -> Iterator[dict[str, Running]]:
    """The pipeline; what each process is given is what docs/security.md gives it."""
    api = secured_kafka.store(User(name="gamemetrics-api"))
    bridge = secured_kafka.store(User(name="gamemetrics-bridge"))
    secured_kafka.allow_writing(api)
    secured_kafka.allow_reading(bridge)
    common = {
        "GAMEMETRICS_ENV": "production",
        "ALLOWED_HOSTS": HOST,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_BOOTSTRAP_SERVERS": secured_kafka.servers,
        "KAFKA_SSL_CA_LOCATION": str(secured_kafka.ca),
        "KAFKA_TOPIC": TOPIC,
        "KAFKA_GROUP_ID": GROUP,
    }
    with deployment(common) as deployed:
        files = deployed.by_file("every-process", known)
        logins = {
            user.name: deployed.by_file(
                user.name, {"KAFKA_USERNAME": user.name, "KAFKA_PASSWORD": user.password}
            )
            for user in (api, bridge)
        }
        started = {
            "web": deployed.start("web", **files, **logins[api.name]),
            "bridge": deployed.start("bridge", **files, **logins[bridge.name]),
            **{name: deployed.start(name, **files) for name in WORKERS},
            "flower": deployed.start("flower", **files),
        }
        for name, process in started.items():
            process.answers("/healthcheck" if name == "flower" else "/health/live")
        yield started


@pytest.fixture
def client(processes: dict[str, Running]) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=processes["web"].url, headers=HEADERS, timeout=30, trust_env=False
    ) as connected:
        yield connected


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name]}"}


def test_every_part_lets_its_process_in(processes: dict[str, Running]) -> None:
    processes["web"].answers("/health/ready")


def test_events_flow_to_the_tables_and_the_boards(
    client: httpx.Client, processes: dict[str, Running], secured_database: str
) -> None:
    events = [
        {
            "event_type": "player_score", "player_id": player, "game_id": "secured",
            "timestamp": "2024-01-15T10:00:00Z", "data": {"score": score},
        }
        for score, player in enumerate(("ada", "bo", "cyd"), start=1)
    ]  # fmt: skip
    sent = client.post("/api/v1/events", json=events, headers=bearer("INGEST_KEY"))
    assert sent.status_code == 202, sent.text

    def ranked() -> bool:
        told = client.get("/api/v1/leaderboards/secured/default", headers=bearer("READ_KEY"))
        return told.status_code == 200 and [
            (entry["player_id"], entry["score"]) for entry in told.json()["entries"]
        ] == [("cyd", 3), ("bo", 2), ("ada", 1)]

    def counted() -> bool:
        path = "/api/v1/players/ada/stats?game_id=secured"
        told = client.get(path, headers=bearer("READ_KEY"))
        return told.status_code == 200 and told.json()["total_events"] == 1

    until(ranked, "the board has the events")
    until(counted, "the statistics have the events")
    with psycopg2.connect(secured_database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT player_id FROM events WHERE game_id = 'secured' ORDER BY 1")
        assert cursor.fetchall() == [("ada",), ("bo",), ("cyd",)]
    connection.close()
    denied = {name: process.told for name, process in processes.items() if "NOPERM" in process.told}
    assert not denied


def test_flower_asks_for_the_password_of_its_file(
    processes: dict[str, Running], known: dict[str, str]
) -> None:
    url = f"{processes['flower'].url}/workers"
    name, _, password = known["FLOWER_BASIC_AUTH"].partition(":")
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=(name, password), timeout=30).status_code == 200


def test_no_secret_is_in_an_environment_or_in_a_log(
    processes: dict[str, Running], known: dict[str, str]
) -> None:
    hidden = {
        urlsplit(value).password or value.partition(":")[2] or value for value in known.values()
    }
    for process in processes.values():
        environment = environment_of(process.process.pid)
        assert environment["DATABASE_URL_FILE"]
        for secret in hidden:
            assert secret not in " ".join(environment.values())
            assert secret not in process.told


def test_the_files_are_their_owners_alone(processes: dict[str, Running]) -> None:
    environment = environment_of(processes["web"].process.pid)
    files = [Path(path) for name, path in environment.items() if name.endswith("_FILE")]
    assert len(files) == 11
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize("setting", ["CELERY_BROKER_URL", "REDIS_URL"])
@pytest.mark.parametrize("command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "DEBUG JMAP", "SAVE"])
def test_a_redis_user_can_do_no_harm_to_the_server(
    known: dict[str, str], setting: str, command: str
) -> None:
    with redis.Redis.from_url(known[setting]) as connected:
        with pytest.raises(redis.exceptions.NoPermissionError):
            connected.execute_command(*command.split())
        with pytest.raises(redis.exceptions.NoPermissionError):
            connected.set("somebody-elses", "x")
