"""On what, with which versions and which settings, the figures were measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import confluent_kafka

from gamemetrics.stack import applications, kafka, kafka_jars
from gamemetrics.stack.interpreter import is_optimised
from tests.bench import database
from tests.bench.rig import Rig
from tests.rigs.results import commit

PACKAGES: Final = (
    *("celery", "kombu", "confluent-kafka", "django", "granian", "psycopg2-binary"),
    *("msgspec", "flower"),
)
_REDIS: Final = ("appendonly", "appendfsync", "save", "maxmemory-policy", "io-threads")


def describe(rig: Rig) -> dict[str, Any]:
    """The machine, the versions, and what is set otherwise than its maker did."""
    return {
        "commit": commit(),
        "machine": machine(),
        "versions": _versions(rig),
        "settings": _settings(rig),
    }


def machine() -> dict[str, Any]:
    """Cores that we may use, memory in GiB, and their kind; None where it is not told."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "memory_gib": round(_kib(_field(Path("/proc/meminfo"), "MemTotal")) / 1024**2, 1),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


def _versions(rig: Rig) -> dict[str, str]:
    with rig.redis() as client:
        told: Mapping[str, Any] = client.info("server")
    jars = kafka_jars.cached(os.environ).name
    return {
        "python": _python(),
        "postgresql": str(rig.postgres.sql("SHOW server_version")[0][0]),
        "kafka": jars.split("-")[1],
        "redis": str(told["redis_version"]),
        "redis-py": version("redis"),
        "librdkafka": confluent_kafka.libversion()[0],
        **{name: version(name) for name in PACKAGES},
    }


def _python() -> str:
    return platform.python_version() + ("" if is_optimised() else ", built without optimisations")


def _settings(rig: Rig) -> dict[str, Any]:
    with rig.redis() as client:
        redis_settings = {name: client.config_get(name).get(name, "") for name in _REDIS}
    launches = applications.launches(rig.environment)
    return {
        "postgresql": database.settings(rig.postgres),
        "kafka": {
            name: str(value)
            for name, value in kafka.server_settings(rig.layout.kafka, rig.ports).items()
            if not name.endswith(("listeners", "dirs", "voters"))
        }
        | {"heap": " ".join(kafka.HEAP), "partitions": str(rig.partitions)},
        "redis": redis_settings,
        "ours": dict(rig.carried),
        "commands": {name: " ".join(launch.argv[2:]) for name, launch in sorted(launches.items())},
    }


def _field(path: Path, name: str) -> str | None:
    lines = path.read_text().splitlines() if path.exists() else []
    return next(
        (
            line.partition(":")[2].strip()
            for line in lines
            if line.partition(":")[0].strip() == name
        ),
        None,
    )


def _kib(text: str | None) -> int:
    return int(text.split()[0]) if text else 0
