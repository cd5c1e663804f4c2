"""Where the stack is: what `make up` wrote down, or else the process's own environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from apps.contract.queues import Consumer
from apps.demo.failure import Failed

DEFAULT_STACK_DIR: Final = ".stack"
DEFAULT_TOPIC: Final = "player.events.raw"
_REQUIRED: Final = ("API_URL", "DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "MANAGEMENT_KEY")


class StackUnknown(Failed):
    """Neither the stack's env file nor the environment tells where the stack is."""


class NotLocal(Failed):
    """The API is on another machine; generated load is for one's own stack only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StackEnv:
    """Addresses and keys of a running stack; secrets stay out of the repr."""

    api_url: str
    database_url: str = field(repr=False)
    bootstrap_servers: str
    topic: str
    management_key: str = field(repr=False)
    admin_url: str = ""
    admin_user: str = ""
    flower_url: str = field(default="", repr=False)
    metrics_urls: Mapping[Consumer, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environ: Mapping[str, str], base: Path) -> StackEnv:
        """Of `STACK_DIR/env` (`.stack/env` in `base`) if it is there, else of `environ`.

        One or the other, never a mixture: that could be the API of one stack and the database
        of another. Raises StackUnknown.
        """
        file = base / (environ.get("STACK_DIR") or DEFAULT_STACK_DIR) / "env"
        values = _pairs(file) if file.exists() else environ
        missing = [name for name in _REQUIRED if not values.get(name)]
        if missing:
            told = f"{file} lacks" if file.exists() else f"no {file}, and the environment lacks"
            raise StackUnknown(f"{told} {', '.join(missing)}: start the stack with `make up`")
        return cls(
            api_url=values["API_URL"].rstrip("/"),
            database_url=values["DATABASE_URL"],
            bootstrap_servers=values["KAFKA_BOOTSTRAP_SERVERS"],
            topic=values.get("KAFKA_TOPIC") or DEFAULT_TOPIC,
            management_key=values["MANAGEMENT_KEY"],
            admin_url=values.get("ADMIN_URL", ""),
            admin_user=values.get("ADMIN_USER", ""),
            flower_url=values.get("FLOWER_URL", ""),
            metrics_urls={
                consumer: url
                for consumer in Consumer
                if (url := values.get(f"METRICS_URL_{consumer.name}"))
            },
        )

    @property
    def flower_address(self) -> str:
        """Flower's URL without the password."""
        parts = urlsplit(self.flower_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def require_loopback(self) -> None:
        """Raises NotLocal where the API is not on this machine."""
        host = urlsplit(self.api_url).hostname or ""
        if host != "localhost" and not _is_loopback(host):
            raise NotLocal(f"API_URL is {self.api_url}: load is sent to a stack on this host only")


def _pairs(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return {
        name: value for name, _, value in (line.partition("=") for line in lines if "=" in line)
    }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
