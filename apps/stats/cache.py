"""Hot copies of player statistics in Redis: one string a player and game, versioned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
import redis

from apps.ledger.cache import client, outages

# Seconds that a copy outlives its last write; a missing one is read from PostgreSQL.
TTL: Final = 24 * 3600

# Keys of one call: Lua unpacks them on its stack, which holds 8,000.
_AT_ONCE: Final = 1000

# KEYS: the statistics' keys. ARGV: ttl, then a MessagePack array of each key's JSON, whose first
# field is the version. Writes only what is newer, so two workers may come in any order. One
# argument for all: redis-py spends more on packing an argument than on anything else here.
_SET_IF_NEWER: Final = """
local version = '^{"version":(%d+)'
local held = redis.call('MGET', unpack(KEYS))
for i, offered in ipairs(cmsgpack.unpack(ARGV[2])) do
  local current = held[i] and tonumber(string.match(held[i], version))
  if not current or current < tonumber(string.match(offered, version)) then
    redis.call('SET', KEYS[i], offered, 'EX', ARGV[1])
  end
end
"""


class Aggregate(msgspec.Struct, kw_only=True, frozen=True):
    """What a player has of a declared aggregate; `value` is a decimal, None if all were skipped."""

    value: str | None
    counted: int
    skipped: int


class Statistics(msgspec.Struct, kw_only=True, frozen=True):
    """Statistics of a player in a game, at a version."""

    version: int
    player_id: str
    game_id: str
    total_events: int
    events: dict[str, int]
    first_event_at: datetime
    last_event_at: datetime
    sessions: int = 0  # absent in copies of before sessions were counted
    aggregates: dict[str, Aggregate] = {}  # by name; absent in copies of before there were any


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Statistics)
_packer = msgspec.msgpack.Encoder()


def key(game_id: str, player_id: str) -> str:
    return f"stats:{game_id}:{player_id}"


def put(items: Sequence[Statistics]) -> None:
    """Write the copies that are newer than those in Redis. Raises CacheUnavailable."""
    for first in range(0, len(items), _AT_ONCE):
        part = items[first : first + _AT_ONCE]
        copies = _packer.encode([_encoder.encode(item).decode() for item in part])
        with outages():
            _script(client())(
                keys=[key(item.game_id, item.player_id) for item in part], args=[TTL, copies]
            )


@lru_cache(maxsize=1)
def _script(connected: redis.Redis) -> Any:
    return connected.register_script(_SET_IF_NEWER)


def get(game_id: str, player_id: str) -> Statistics | None:
    """The copy, or None. Raises CacheUnavailable."""
    with outages():
        held = client().get(key(game_id, player_id))
    return _decoder.decode(held) if isinstance(held, bytes) else None


def drop(keys: Sequence[str]) -> None:
    """Forget copies; the next read takes them from PostgreSQL. Raises CacheUnavailable."""
    if keys:
        with outages():
            client().delete(*keys)
