"""A misconfigured process refuses to start and says which setting and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.__main__ import bridge_settings
from gamemetrics.environment import (
    DatabaseSettings,
    Environment,
    KafkaSettings,
    SettingInvalid,
    chunk_signing_key,
)
from gamemetrics.redis_urls import celery_broker_url, redis_cache_url
from gamemetrics.stack.layout import PROJECT_ROOT

PRODUCTION = {
    "GAMEMETRICS_ENV": "production",
    "DJANGO_SECRET_KEY": "s" * 32,
    "CHUNK_SIGNING_KEY": "c" * 32,
    "ALLOWED_HOSTS": "metrics.example",
    "MANAGEMENT_KEY": "manage",
    "INGEST_KEY": "ingest",
    "READ_KEY": "read",
}


def env(**values: str) -> Environment:
    return Environment(values=values)


def python(code: str, **values: str) -> subprocess.CompletedProcess[str]:
    """A process of its own with these settings alone."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), **values},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_setting_is_read_from_a_mounted_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    assert env(DB_PASSWORD_FILE=str(secret)).optional("DB_PASSWORD") == "s3cret"
    assert DatabaseSettings.read(env(DB_PASSWORD_FILE=str(secret))).password == "s3cret"


def test_a_mounted_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingInvalid, match=r"^DB_PASSWORD_FILE: .* is not UTF-8 text"):
        env(DB_PASSWORD_FILE=str(secret)).optional("DB_PASSWORD")


def test_a_setting_that_is_empty_is_not_set() -> None:
    assert env(LOG_LEVEL="  ").text("LOG_LEVEL", "INFO") == "INFO"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"DB_PASSWORD_FILE": "/nowhere/at/all"}, "DB_PASSWORD_FILE"),
        ({"DB_PASSWORD_FILE": "/etc/hostname", "DB_PASSWORD": "x"}, "DB_PASSWORD"),
        ({"DB_PORT": "many"}, "DB_PORT"),
        ({"DB_PORT": "0"}, "DB_PORT"),
        ({"DB_PORT": "65536"}, "DB_PORT"),
        ({"DATABASE_URL": "mysql://a:b@c/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a:b@c"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a:b@c:port/d"}, "DATABASE_URL"),
    ],
)
def test_a_bad_database_setting_is_named(values: dict[str, str], name: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{name}: ") as caught:
        DatabaseSettings.read(env(**values))
    assert caught.value.name == name
    assert caught.value.rule


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"KAFKA_USERNAME": "ada"}, "KAFKA_PASSWORD"),
        (
            {"KAFKA_USERNAME": "ada", "KAFKA_PASSWORD": "x", "KAFKA_SECURITY_PROTOCOL": "SSL"},
            "KAFKA_SECURITY_PROTOCOL",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL"),
    ],
)
def test_a_bad_kafka_setting_is_named(values: dict[str, str], name: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{name}: "):
        KafkaSettings.read(env(**values))


def test_a_kafka_user_speaks_scram_over_tls() -> None:
    client = KafkaSettings.read(env(KAFKA_USERNAME="ada", KAFKA_PASSWORD="x")).client
    assert client["security.protocol"] == "SASL_SSL"
    assert client["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (client["sasl.username"], client["sasl.password"]) == ("ada", "x")


def test_a_database_url_is_read_and_written_alike() -> None:
    url = "postgresql://a%40b:p%2Fw@db.example:6432/game%20x"
    settings = DatabaseSettings.read(env(DATABASE_URL=url))
    assert (settings.user, settings.password, settings.name) == ("a@b", "p/w", "game x")
    assert settings.dsn() == url


@pytest.mark.parametrize(
    ("values", "cache", "broker"),
    [
        ({}, "redis://127.0.0.1:6379/1", "redis://127.0.0.1:6379/0"),
        (
            {"REDIS_HOST": "r", "REDIS_PORT": "7"},
            "redis://r:7/1",
            "redis://r:7/0",
        ),
        ({"CELERY_BROKER_URL": "redis://q/0"}, "redis://127.0.0.1:6379/1", "redis://q/0"),
        (
            {"REDIS_HOST": "r", "REDIS_PASSWORD": "p@/w"},
            "redis://:p%40%2Fw@r:6379/1",
            "redis://:p%40%2Fw@r:6379/0",
        ),
    ],
)
def test_the_broker_has_a_database_of_its_own(
    values: dict[str, str], cache: str, broker: str
) -> None:
    assert (redis_cache_url(env(**values)), celery_broker_url(env(**values))) == (cache, broker)


def test_a_broker_in_the_caches_database_is_refused() -> None:
    with pytest.raises(SettingInvalid, match=r"^CELERY_BROKER_URL: "):
        celery_broker_url(env(REDIS_URL="redis://r/2", CELERY_BROKER_URL="redis://r/2"))
    with pytest.raises(SettingInvalid, match=r"^CELERY_BROKER_URL: "):
        celery_broker_url(env(REDIS_URL="redis://r/2", CELERY_BROKER_URL="redis://ada:x@r/2"))
    with pytest.raises(SettingInvalid, match=r"^REDIS_URL: "):
        redis_cache_url(env(REDIS_URL="http://r"))


def test_redis_over_tls_checks_the_certificate_unless_told_and_then_it_is_refused() -> None:
    url = "rediss://ada:x@r:6380/0?ssl_ca_certs=/etc/ca.pem"
    assert celery_broker_url(env(CELERY_BROKER_URL=url)) == f"{url}&ssl_cert_reqs=required"
    for weaker in ("ssl_cert_reqs=none", "ssl_cert_reqs=optional", "ssl_check_hostname=false"):
        with pytest.raises(SettingInvalid, match=r"^REDIS_URL: ssl_"):
            redis_cache_url(env(REDIS_URL=f"rediss://r/1?{weaker}"))


def test_a_sasl_protocol_demands_a_user_of_those_who_speak_to_kafka(tmp_path: Path) -> None:
    without = KafkaSettings.read(env(KAFKA_SECURITY_PROTOCOL="SASL_SSL"))
    with pytest.raises(SettingInvalid, match=r"^KAFKA_USERNAME: is required"):
        without.demand_usable()
    no_certificate = tmp_path / "ca.pem"
    no_certificate.write_text("nothing")
    unusable = KafkaSettings.read(env(KAFKA_SSL_CA_LOCATION=str(no_certificate)))
    with pytest.raises(SettingInvalid, match=r"^KAFKA_SSL_CA_LOCATION: must be a file of PEM"):
        unusable.demand_usable()
    assert KafkaSettings.read(env()).demand_usable().topic == "player.events.raw"


@pytest.mark.parametrize("value", ["0", "5001", "all"])
def test_a_bad_bridge_setting_is_named(value: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^BRIDGE_CHUNK_EVENTS: "):
        bridge_settings(env(BRIDGE_CHUNK_EVENTS=value))


def test_strict_mode_is_a_chunk_of_one_event() -> None:
    assert bridge_settings(env(BRIDGE_CHUNK_EVENTS="1")).policy.max_events == 1


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "GAMEMETRICS_ENV"])
def test_production_does_not_start_without(name: str) -> None:
    values = {key: value for key, value in PRODUCTION.items() if key != name}
    ended = python("import gamemetrics.settings", **values)
    assert ended.returncode != 0
    assert f"{name}: is required" in ended.stderr


@pytest.mark.parametrize("name", ["DJANGO_SECRET_KEY", "CHUNK_SIGNING_KEY"])
def test_production_does_not_start_with_a_short_secret(name: str) -> None:
    ended = python("import gamemetrics.settings", **{**PRODUCTION, name: "short"})
    assert f"{name}: must have at least 32 characters" in ended.stderr


def test_bridge_and_workers_seal_with_the_same_key() -> None:
    assert chunk_signing_key(env()) == chunk_signing_key(env(GAMEMETRICS_ENV="local"))
    given = "a key of the operator's own choice"
    assert chunk_signing_key(env(CHUNK_SIGNING_KEY=given)) == given
    with pytest.raises(SettingInvalid, match=r"^CHUNK_SIGNING_KEY: is required"):
        chunk_signing_key(env(GAMEMETRICS_ENV="production"))


def test_production_demands_keys_and_the_local_stack_does_not() -> None:
    code = (
        "import json, gamemetrics.settings as s;"
        "print(json.dumps([s.API_KEYS_REQUIRED, s.DEBUG, s.SESSION_COOKIE_SECURE]))"
    )
    answers: list[Any] = [
        json.loads(python(code, **values).stdout.splitlines()[-1]) for values in (PRODUCTION, {})
    ]
    assert answers == [[True, False, True], [False, False, False]]


def test_a_bridge_that_cannot_start_says_why() -> None:
    ended = python(
        "import runpy; runpy.run_module('bridge', run_name='__main__')", KAFKA_USERNAME="ada"
    )
    assert ended.returncode != 0
    assert "gamemetrics bridge cannot start: KAFKA_PASSWORD: is required" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_bridge_does_not_set_up_django() -> None:
    code = (
        "import bridge.__main__, bridge.loop, bridge.ledger, bridge.courier, bridge.source\n"
        "from django.apps import apps\nprint(apps.ready)"
    )
    ended = python(code)
    assert ended.stdout.strip() == "False", ended.stderr
