"""The two Redis servers: the broker, whose queues must not be evicted, and the cache."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from gamemetrics.stack import redis_server
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import Launch


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisServer:
    """One redis-server."""

    name: str
    port: int
    home: Path

    @property
    def directory(self) -> Path:
        # redis-server writes its title over its environment: it is known by where it works.
        return Layout(root=self.home).redis / self.name

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def launch(self) -> Launch:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "redis.conf"
        config.write_text(
            f"bind {HOST}\nport {self.port}\ndaemonize no\n"
            f'dir "{self.directory}"\n'
            'maxmemory-policy noeviction\nappendonly yes\nappendfsync everysec\nsave ""\n'
        )
        return Launch(
            argv=[str(redis_server.binary()), str(config)],
            environ={"PATH": os.environ.get("PATH", os.defpath)},
            directory=str(self.directory),
        )

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5, retry=None)

    def answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def waiting_workers(self) -> int:
        """Clients that wait for a message of a queue."""
        with self.client() as client:
            clients: Any = client.client_list()
        return sum(one["cmd"].startswith("brpop") for one in clients)

    def forget(self) -> None:
        """Delete what it keeps on disk, while it is down: it starts empty."""
        for path in self.directory.iterdir():
            if path.name != "redis.conf":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
