"""Taking places out of orders in Redis, for acts that nobody carries a second time.

`suspend` before the commit: the order is incomplete from then on and nobody builds it, so all read
PostgreSQL. `resume` after the commit: it is brought up to date and complete again. Whoever dies in
between leaves an order that is built anew once the lease is over.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from apps.leaderboards.rank_index import TTL, BoardPeriod, Place, packed
from apps.leaderboards.rank_scripts import STORE
from apps.ledger.cache import client, outages
from apps.ledger.scripts import Script

# Seconds that a suspended order stays unbuilt. PostgreSQL ends a transaction that is idle for half
# of it, so no build begins between a `suspend` and its commit.
LEASE: Final = 120
IDLE: Final = LEASE // 2
_pack: Final = msgspec.msgpack.Encoder().encode

_FENCE: Final = """
-- Stones are one MessagePack array of player and version in turn.
local function fence(stones)
  for at = 1, #stones, 2 do
    local held = redis.call('HGET', KEYS[5], stones[at])
    if not outlived(stones[at + 1], held) then
      redis.call('HSET', KEYS[5], stones[at], stones[at + 1])
    end
  end
end
"""

# ARGV: token, lease in seconds. A build of before the act is lost.
SUSPEND: Final = Script.of("""
if redis.call('HGET', KEYS[2], '') == 'complete' then
  redis.call('HSET', KEYS[2], '', ARGV[1])
else
  redis.call('UNLINK', KEYS[1], KEYS[2])
end
redis.call('UNLINK', KEYS[3], KEYS[4])
redis.call('HSET', KEYS[4], '', ARGV[1])
redis.call('EXPIRE', KEYS[4], ARGV[2])
return 1
""")

# ARGV: token, ttl, stones, rows. Complete again where nobody wrote since `suspend`: a write to an
# order that is not complete takes it away.
RESUME: Final = Script.of(f"""{STORE}{_FENCE}
local stones = cmsgpack.unpack(ARGV[3])
fence(stones)
if redis.call('HGET', KEYS[4], '') ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[3], KEYS[4])
if redis.call('HGET', KEYS[2], '') ~= ARGV[1] then return 0 end
for at = 1, #stones, 2 do
  local held = redis.call('HGET', KEYS[2], stones[at])
  local gap = held and string.find(held, ' ', 1, true)
  if held and outlived(string.sub(held, 1, gap - 1), stones[at + 1]) then
    redis.call('ZREM', KEYS[1], string.sub(held, gap + 1))
    redis.call('HDEL', KEYS[2], stones[at])
  end
end
store(KEYS[1], KEYS[2], cmsgpack.unpack(ARGV[4]))
redis.call('HSET', KEYS[2], '', 'complete')
local ttl = tonumber(ARGV[2])
if ttl > 0 then
  for number = 1, 5 do redis.call('EXPIRE', KEYS[number], ttl) end
end
return 1
""")

# ARGV: ttl, stones.
FENCE: Final = Script.of(f"""{STORE}{_FENCE}
fence(cmsgpack.unpack(ARGV[2]))
if tonumber(ARGV[1]) > 0 then redis.call('EXPIRE', KEYS[5], ARGV[1]) end
return 1
""")


@dataclass(kw_only=True, slots=True)
class Change:
    """What an act did to a period: the entries' places as they are, and versions that are gone."""

    places: list[Place] = field(default_factory=list)
    gone: dict[str, int] = field(default_factory=dict)


Changes = Mapping[BoardPeriod, Change]


def new_changes() -> defaultdict[BoardPeriod, Change]:
    return defaultdict(Change)


def suspend(scopes: Iterable[BoardPeriod]) -> str:
    """The orders are read by nobody until `resume` with this token. Raises CacheUnavailable.

    Called in the act's transaction, when all but the commit is done.
    """
    token = f"act {uuid.uuid4().hex}"
    calls = [(scope.written_keys(), (token, LEASE)) for scope in scopes]
    if calls:
        with outages():
            SUSPEND.run_all(client(), calls)
    return token


def resume(token: str, changes: Changes) -> None:
    """Bring the orders what is committed. Raises CacheUnavailable."""
    calls = [
        (
            scope.written_keys(),
            (token, TTL[scope.period], _stones(change.gone), packed(change.places)),
        )
        for scope, change in changes.items()
    ]
    if calls:
        with outages():
            RESUME.run_all(client(), calls)


def fence(scope: BoardPeriod, gone: Mapping[str, int]) -> None:
    """Let no version up to these into the period's order. Raises CacheUnavailable."""
    if gone:
        with outages():
            FENCE.run(client(), scope.written_keys(), TTL[scope.period], _stones(gone))


def _stones(gone: Mapping[str, int]) -> bytes:
    stones: list[str] = []
    for player_id, version in gone.items():
        stones += (player_id, str(version))
    return _pack(stones)
