"""Every setting that a process takes from its environment, read and refused in one place."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit


class SettingInvalid(Exception):
    """A setting is missing or malformed; the process must not start."""

    def __init__(self, name: str, rule: str) -> None:
        super().__init__(f"{name}: {rule}")
        self.name = name
        self.rule = rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Typed reads of NAME, or of the file that NAME_FILE names (mounted secrets)."""

    values: Mapping[str, str]

    @classmethod
    def of_process(cls) -> Environment:
        return cls(values=os.environ)

    def optional(self, name: str) -> str | None:
        """The value, stripped; None where neither NAME nor NAME_FILE is set, or it is empty."""
        path = self.values.get(f"{name}_FILE", "")
        if path and self.values.get(name):
            raise SettingInvalid(name, f"set either {name} or {name}_FILE, not both")
        if not path:
            return self.values.get(name, "").strip() or None
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise SettingInvalid(f"{name}_FILE", f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingInvalid(f"{name}_FILE", f"{path} is not UTF-8 text") from error

    def text(self, name: str, default: str) -> str:
        return self.optional(name) or default

    def required(self, name: str, why: str) -> str:
        value = self.optional(name)
        if value is None:
            raise SettingInvalid(name, f"is required: {why}")
        return value

    def integer(self, name: str, default: int, *, at_least: int, at_most: int) -> int:
        raw = self.optional(name)
        if raw is None:
            return default
        try:
            value = int(raw)
        except ValueError as error:
            raise SettingInvalid(name, f"must be a whole number, is {raw!r}") from error
        if not at_least <= value <= at_most:
            raise SettingInvalid(name, f"must be from {at_least} to {at_most}, is {value}")
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise SettingInvalid(name, f"must be one of {', '.join(allowed)}, is {value!r}")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is."""

    host: str
    port: int
    name: str
    user: str
    password: str
    # libpq's own parameters from the URL's query, as sslmode=verify-full.
    tls: Mapping[str, str]

    @classmethod
    def read(cls, env: Environment) -> DatabaseSettings:
        url = env.optional("DATABASE_URL")
        if url is None:
            return cls(
                host=env.text("DB_HOST", "127.0.0.1"),
                port=env.integer("DB_PORT", 5432, at_least=1, at_most=65535),
                name=env.text("DB_NAME", "gamemetrics"),
                user=env.text("DB_USER", "gamemetrics"),
                password=env.text("DB_PASSWORD", ""),
                tls={},
            )
        try:
            parts = urlsplit(url)
            port = parts.port or 5432
        except ValueError as error:
            raise SettingInvalid("DATABASE_URL", f"is not a URL: {error}") from error
        if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
            raise SettingInvalid(
                "DATABASE_URL", "must be postgresql://user:password@host:port/name"
            )
        return cls(
            host=unquote(parts.hostname or "127.0.0.1"),
            port=port,
            name=unquote(parts.path.lstrip("/")),
            user=unquote(parts.username or "gamemetrics"),
            password=unquote(parts.password or ""),
            tls=_tls_parameters(parts.query),
        )

    def dsn(self) -> str:
        """The settings as a URL for libpq."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        host = quote(self.host, safe="")
        query = f"?{urlencode(self.tls)}" if self.tls else ""
        name = quote(self.name, safe="")
        return f"postgresql://{user}:{password}@{host}:{self.port}/{name}{query}"


def _tls_parameters(query: str) -> dict[str, str]:
    """The query's TLS parameters; any other is refused: ignored, it would only look set."""
    found = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(found) - {"sslmode", "sslrootcert", "sslcert", "sslkey"})
    if unknown:
        raise SettingInvalid("DATABASE_URL", f"has a parameter we do not know: {unknown[0]}")
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class KafkaSettings:
    """Where Kafka is, and how to speak to it (librdkafka's own keys in `client`)."""

    topic: str
    group_id: str
    client: Mapping[str, Any]

    @classmethod
    def read(cls, env: Environment) -> KafkaSettings:
        client: dict[str, Any] = {
            "bootstrap.servers": env.text("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        }
        username = env.optional("KAFKA_USERNAME")
        allowed = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
        default = "SASL_SSL" if username else "PLAINTEXT"
        client["security.protocol"] = env.choice("KAFKA_SECURITY_PROTOCOL", default, allowed)
        if username:
            if not client["security.protocol"].startswith("SASL"):
                raise SettingInvalid("KAFKA_SECURITY_PROTOCOL", "must be SASL_* with a user name")
            client["sasl.mechanism"] = "SCRAM-SHA-512"
            client["sasl.username"] = username
            client["sasl.password"] = env.required(
                "KAFKA_PASSWORD", "KAFKA_USERNAME is set, and SCRAM-SHA-512 needs a password"
            )
        ca_location = env.optional("KAFKA_SSL_CA_LOCATION")
        if ca_location:
            client["ssl.ca.location"] = ca_location
        return cls(
            topic=env.text("KAFKA_TOPIC", "player.events.raw"),
            group_id=env.text("KAFKA_GROUP_ID", "gamemetrics-bridge"),
            client=client,
        )

    def demand_usable(self) -> KafkaSettings:
        """The settings, for a process that will use them. Raises SettingInvalid.

        A worker shares them and has neither the user nor the authority's file.
        """
        if self.client["security.protocol"].startswith("SASL") and not self.client.get(
            "sasl.username"
        ):
            raise SettingInvalid("KAFKA_USERNAME", "is required: KAFKA_SECURITY_PROTOCOL is SASL_*")
        ca_location = self.client.get("ssl.ca.location")
        if ca_location:
            _read_authorities(ca_location)
        return self


def _read_authorities(path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        rule = f"must be a file of PEM certificates, {path} is not: {error.strerror}"
        raise SettingInvalid("KAFKA_SSL_CA_LOCATION", rule) from error


def is_production(env: Environment) -> bool:
    return env.choice("GAMEMETRICS_ENV", "local", ("local", "production")) == "production"


def chunk_signing_key(env: Environment) -> str:
    """What the bridge seals its messages with, and the workers know them by."""
    if not is_production(env):
        return env.text("CHUNK_SIGNING_KEY", "local-only")
    key = env.required("CHUNK_SIGNING_KEY", "the bridge seals its messages to workers with it")
    if len(key) < 32:
        raise SettingInvalid("CHUNK_SIGNING_KEY", "must have at least 32 characters")
    return key


def failpoints_file(env: Environment) -> str | None:
    """Where the fault tests keep the rules of `apps.failpoints`; refused in production."""
    path = env.optional("FAILPOINTS")
    if path and is_production(env):
        raise SettingInvalid("FAILPOINTS", "must not be set in production: it kills processes")
    return path


def log_level(env: Environment) -> str:
    return env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
