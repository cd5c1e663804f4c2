"""Copies of player statistics in Redis: one string a player and game, versioned.

A copy is made for who reads the player, and kept up by the consumer until nobody has read it for
UNREAD seconds; a player that nobody reads costs a chunk no more than the question. Whoever finds no
copy leaves a token in its place before it reads the row, and fills the place only if its token is
still there. A consumer that commits before the token lies there is in the row that is read; one
that comes later finds the token, and takes it away. So no copy lacks what was committed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from apps.ledger.cache import client, outages
from apps.ledger.scripts import Script

# Seconds that a copy outlives the last look at it.
UNREAD: Final = 3600
# Seconds in which a token's reader has to have read the row.
CLAIMED: Final = 30
# Keys of one call: Lua unpacks them on its stack, which holds 8,000.
_AT_ONCE: Final = 1000

# KEYS: one. ARGV: token, its seconds, the copy's seconds. The copy, or nil: the token is there now,
# in place of whatever is no copy.
_LOOK: Final = Script.of("""
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 1) == '{' then
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return held
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
""")
# KEYS: one. ARGV: token, copy, its seconds.
_FILL: Final = Script.of("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
""")
# KEYS: the statistics' keys. Which of them, counted from 1, have a copy or a token.
_HELD: Final = Script.of("""
local found = {}
for i, held in ipairs(redis.call('MGET', unpack(KEYS))) do
  if held then
    found[#found + 1] = i
  end
end
return found
""")
# KEYS: the statistics' keys. ARGV: a MessagePack array of each key's JSON, whose first field is the
# version. Writes only over what is older, so two workers may come in any order. A token goes:
# whether its reader has read what is older than the offered or newer, no version tells.
# One argument for all: redis-py spends more on packing an argument than on anything else here.
_PUT: Final = Script.of("""
local version = '^{"version":(%d+)'
local held = redis.call('MGET', unpack(KEYS))
for i, offered in ipairs(cmsgpack.unpack(ARGV[1])) do
  local current = held[i] and tonumber(string.match(held[i], version))
  if held[i] and not current then
    redis.call('DEL', KEYS[i])
  elseif held[i] and current < tonumber(string.match(offered, version)) then
    redis.call('SET', KEYS[i], offered, 'KEEPTTL')
  end
end
""")

Pair = tuple[str, str]  # player_id, game_id
_Item = TypeVar("_Item")


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


def token() -> str:
    """What stands for a copy while one reader reads the row."""
    return f"?{secrets.token_hex(8)}"


def is_token(held: bytes) -> bool:
    """Whether what Redis holds of a player is but a token."""
    return held.startswith(b"?")


def look(game_id: str, player_id: str, claim: str) -> Statistics | None:
    """The copy; or None, and the token `claim` in its place. Raises CacheUnavailable."""
    with outages():
        held = _LOOK.run(client(), [key(game_id, player_id)], claim, CLAIMED, UNREAD)
    return _decoder.decode(held) if isinstance(held, bytes) else None


def fill(found: Statistics, claim: str) -> None:
    """Write what was read after the look, if the token still is there. Raises CacheUnavailable."""
    place = key(found.game_id, found.player_id)
    with outages():
        _FILL.run(client(), [place], claim, _encoder.encode(found), UNREAD)


def held(pairs: Sequence[Pair]) -> list[Pair]:
    """Those of which a copy is there, or a reader about to make one. Raises CacheUnavailable."""
    found = []
    for part in _parts(pairs):
        with outages():
            places = _HELD.run(client(), [key(game, player) for player, game in part])
        found += [part[place - 1] for place in places]
    return found


def put(items: Sequence[Statistics]) -> None:
    """Write over the copies that are older; take tokens away. Raises CacheUnavailable."""
    for part in _parts(items):
        copies = _packer.encode([_encoder.encode(item).decode() for item in part])
        with outages():
            _PUT.run(client(), [key(item.game_id, item.player_id) for item in part], copies)


def drop(pairs: Sequence[Pair]) -> None:
    """Forget copies; the next read takes them from PostgreSQL. Raises CacheUnavailable."""
    for part in _parts(pairs):
        with outages():
            client().delete(*(key(game, player) for player, game in part))


def _parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for first in range(0, len(items), _AT_ONCE):
        yield items[first : first + _AT_ONCE]
