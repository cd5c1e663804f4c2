"""compose.yaml starts what the local stack starts, and opens it to this machine only."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from gamemetrics.stack.kafka_jars import POM
from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.run_state import DEFAULT_TOPIC
from gamemetrics.stack.topic import WEEK_MS, ensure_topic
from tests.manifests import WORKERS
from tests.setting_names import OTHERS, read_by_the_code
from tests.stack_commands import in_a_container

FILE = PROJECT_ROOT / "compose.yaml"
COMPOSE: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
PROCESSES = tuple(in_a_container())
SERVERS = ("postgres", "broker", "cache", "kafka")
SECRETS = (
    *("DB_PASSWORD", "DJANGO_SECRET_KEY", "CHUNK_SIGNING_KEY", "MANAGEMENT_KEY"),
    "FLOWER_BASIC_AUTH",
)


def _compose() -> list[str]:
    """Docker Compose 2 as a plugin or by itself; no registry of Python's has it."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        told = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
        if told.returncode == 0 and re.match(r"v?([2-9]|dev)", told.stdout):
            return command
    pytest.skip("needs Docker Compose 2 (no engine): docker compose, or docker-compose on PATH")


def _config(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_compose(), "--file", str(FILE), "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_compose_itself_accepts_the_file() -> None:
    told = _config(**dict.fromkeys(SECRETS, "given"))
    assert told.returncode == 0, told.stderr
    assert set(json.loads(told.stdout)["services"]) == set(SERVICES)


@pytest.mark.parametrize("missing", SECRETS)
def test_compose_itself_refuses_to_start_without_a_secret(missing: str) -> None:
    told = _config(**{name: "given" for name in SECRETS if name != missing})
    assert told.returncode != 0
    assert f"required variable {missing} is missing a value" in told.stderr


def test_it_has_every_server_every_process_and_what_prepares_them() -> None:
    assert set(SERVICES) == {*SERVERS, "topic", *PROCESSES}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_runs_the_command_of_the_local_stack(name: str) -> None:
    assert SERVICES[name]["command"] == in_a_container()[name]
    assert "entrypoint" not in SERVICES[name]


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_runs_in_the_one_image_and_can_write_to_tmp_only(name: str) -> None:
    service = SERVICES[name]
    assert (service["image"], service["build"]) == ("gamemetrics:local", ".")
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "volumes" not in service


@pytest.mark.parametrize("name", PROCESSES)
def test_every_setting_is_one_that_the_code_reads(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= read_by_the_code() | OTHERS


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_has_no_default(name: str) -> None:
    uses = re.findall(rf"\$\{{{name}[^}}]*\}}", FILE.read_text())
    assert uses
    assert set(uses) == {f"${{{name}:?see the head of compose.yaml}}"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_open_to_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port)


def test_no_two_services_publish_the_same_port() -> None:
    published = [
        default
        for service in SERVICES.values()
        for port in service.get("ports", [])
        for default in re.findall(r":-(\d+)\}", port)
    ]
    assert len(published) == len(set(published))


@pytest.mark.parametrize("name", [name for name in PROCESSES if name != "migrate"])
def test_a_process_starts_when_tables_topic_and_both_redis_are_there(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "topic": {"condition": "service_completed_successfully"},
        "broker": {"condition": "service_healthy"},
        "cache": {"condition": "service_healthy"},
    }


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in {"topic", "migrate"}])
def test_what_keeps_running_is_watched(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["bridge", *WORKERS])
def test_a_health_check_asks_where_the_process_serves(name: str) -> None:
    service = SERVICES[name]
    port = service["environment"]["METRICS_PORT"]
    assert service["healthcheck"]["test"][-1] == f"http://127.0.0.1:{port}/health/live"
    assert service["ports"][0].endswith(f"}}:{port}")


def test_a_queue_is_never_evicted_and_the_cache_is() -> None:
    assert SERVICES["broker"]["command"][-2:] == ["--maxmemory-policy", "noeviction"]
    assert SERVICES["cache"]["command"][-2:] == ["--maxmemory-policy", "allkeys-lfu"]
    for name in PROCESSES:
        environment = SERVICES[name]["environment"]
        assert environment["CELERY_BROKER_URL"].startswith("redis://broker:")
        assert environment["REDIS_URL"].startswith("redis://cache:")


def test_kafka_is_the_version_that_the_local_stack_is_tested_with() -> None:
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>(.+?)<", POM.read_text())
    assert version
    for name in ("kafka", "topic"):
        assert SERVICES[name]["image"] == f"apache/kafka:{version[1]}"


def test_the_topic_is_the_one_that_the_local_stack_makes() -> None:
    parameters = inspect.signature(ensure_topic).parameters
    command = SERVICES["topic"]["command"]
    options = dict(zip(command[5::2], command[6::2], strict=True))
    assert parameters["retention_ms"].default == WEEK_MS
    assert options == {
        "--topic": DEFAULT_TOPIC,
        "--partitions": str(parameters["partitions"].default),
        "--replication-factor": str(parameters["replication_factor"].default),
        "--config": f"retention.ms={WEEK_MS}",
    }
