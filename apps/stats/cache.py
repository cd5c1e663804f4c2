"""Hot copies of player statistics in Redis: one string a player and game, versioned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from apps.ledger.cache import client, outages

# Seconds that a copy outlives its last write; a missing one is read from PostgreSQL.
TTL: Final = 24 * 3600

# KEYS: the statistics' keys. ARGV: ttl, then for each key its version and its JSON, whose first
# field is the version. Writes only what is newer, so two workers may come in any order.
_SET_IF_NEWER: Final = """
local ttl = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local version = tonumber(ARGV[2 * i])
  local held = redis.call('GET', key)
  local current = held and tonumber(string.match(held, '^{"version":(%d+)'))
  if not current or current < version then
    redis.call('SET', key, ARGV[2 * i + 1], 'EX', ttl)
  end
end
"""


class Statistics(msgspec.Struct, kw_only=True, frozen=True):
    """Statistics of a player in a game, at a version."""

    version: int
    player_id: str
    game_id: str
    total_events: int
    events: dict[str, int]
    first_event_at: datetime
    last_event_at: datetime


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Statistics)


def key(game_id: str, player_id: str) -> str:
    return f"stats:{game_id}:{player_id}"


def put(items: Sequence[Statistics]) -> None:
    """Write the copies that are newer than those in Redis. Raises CacheUnavailable."""
    if not items:
        return
    arguments: list[bytes | int] = [TTL]
    for item in items:
        arguments += [item.version, _encoder.encode(item)]
    with outages():
        script = client().register_script(_SET_IF_NEWER)
        script(keys=[key(item.game_id, item.player_id) for item in items], args=arguments)


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
