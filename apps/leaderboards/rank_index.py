"""Rank order in Redis: one sorted set and one hash a board and period.

Keys of a board's period (one hash tag, so one Redis Cluster slot):
  lb:{game|board|period|start}:rank    sorted set: score = rank key as a double,
                                       member = `member_of` (exact order among equal doubles)
  lb:{...}:player                      hash: player id -> "<version> <member>";
                                       field "" -> "complete" where every entry is in
  lb:{...}:new:rank, :new:player       the same, while being built aside
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from apps.leaderboards.periods import Period
from apps.leaderboards.rank_members import double_of, member_of
from apps.ledger.cache import client, outages

# Seconds that a period's order outlives its last write; it is rebuilt when read later.
TTL: Final = {
    Period.ALLTIME: 0,
    Period.DAILY: 3 * 86400,
    Period.WEEKLY: 10 * 86400,
    Period.MONTHLY: 35 * 86400,
}
COMPLETE: Final = b"complete"
# Entries a command while building aside: some ms of Redis's single thread.
_BATCH: Final = 2_000

# KEYS: rank, player, new:rank, new:player. ARGV: ttl, then player, version, double, member each.
# Values are absolute: only a newer version replaces. What is being built aside is written too, so
# a commit after the builder's snapshot is not lost when the build is renamed in.
_PUT: Final = """
local function put(rank, players, from)
  local player, version, double, member = ARGV[from], ARGV[from + 1], ARGV[from + 2], ARGV[from + 3]
  local held = redis.call('HGET', players, player)
  if held then
    local space = string.find(held, ' ', 1, true)
    if tonumber(string.sub(held, 1, space - 1)) >= tonumber(version) then return end
    redis.call('ZREM', rank, string.sub(held, space + 1))
  end
  redis.call('ZADD', rank, double, member)
  redis.call('HSET', players, player, version .. ' ' .. member)
end
local building = redis.call('EXISTS', KEYS[4]) == 1
for from = 2, #ARGV, 4 do
  put(KEYS[1], KEYS[2], from)
  if building then put(KEYS[3], KEYS[4], from) end
end
local ttl = tonumber(ARGV[1])
if ttl > 0 then
  redis.call('EXPIRE', KEYS[1], ttl)
  redis.call('EXPIRE', KEYS[2], ttl)
end
"""

# KEYS as above. ARGV: token. Renames in only what this builder built, whole.
_FINISH: Final = """
if redis.call('HGET', KEYS[4], '') ~= ARGV[1] then return 0 end
if redis.call('ZCARD', KEYS[3]) ~= redis.call('HLEN', KEYS[4]) - 1 then return 0 end
redis.call('HSET', KEYS[4], '', 'complete')
redis.call('RENAME', KEYS[4], KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('RENAME', KEYS[3], KEYS[1])
else
  redis.call('DEL', KEYS[1])
end
-- A build that is abandoned disappears; RENAME would let the whole one expire as well.
local ttl = tonumber(ARGV[2])
for key = 1, 2 do
  if ttl > 0 then
    redis.call('EXPIRE', KEYS[key], ttl)
  else
    redis.call('PERSIST', KEYS[key])
  end
end
return 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardPeriod:
    """One board in one period."""

    game_id: str
    board: str
    period: Period
    period_start: datetime

    def keys(self) -> list[str]:
        tag = f"{self.game_id}|{self.board}|{self.period}|{self.period_start:%Y-%m-%dT%H%M}"
        base = "lb:{" + tag.replace("{", "(").replace("}", ")") + "}"
        return [f"{base}:{part}" for part in ("rank", "player", "new:rank", "new:player")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What ranks a player in a board's period, at a version."""

    scope: BoardPeriod
    player_id: str
    rank_key: Decimal
    achieved_at: datetime
    version: int

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Place:
        """From a row of the columns that `upserts` returns and `selectors` selects."""
        return cls(
            scope=BoardPeriod(
                game_id=row[0],
                board=row[1],
                period=Period(row[2]),
                period_start=row[3].astimezone(UTC),
            ),
            player_id=row[4],
            rank_key=row[5],
            achieved_at=row[6].astimezone(UTC),
            version=row[7],
        )

    def arguments(self) -> list[str | int]:
        member = member_of(self.rank_key, self.achieved_at, self.player_id)
        return [self.player_id, self.version, repr(double_of(self.rank_key)), member]


def put(places: Iterable[Place]) -> None:
    """Write places that are newer than those in Redis, one round trip. Raises CacheUnavailable."""
    scopes: dict[BoardPeriod, list[str | int]] = defaultdict(list)
    for place in places:
        scopes[place.scope] += place.arguments()
    if not scopes:
        return
    with outages():
        script = client().register_script(_PUT)
        pipeline = client().pipeline(transaction=False)
        for scope, arguments in scopes.items():
            script(keys=scope.keys(), args=[TTL[scope.period], *arguments], client=pipeline)
        pipeline.execute()


def size(scope: BoardPeriod) -> int | None:
    """How many players the period has; None where Redis does not hold all of them."""
    rank, players, _, _ = scope.keys()
    with outages():
        pipeline = client().pipeline(transaction=False)
        pipeline.hget(players, "")
        pipeline.hlen(players)
        pipeline.zcard(rank)
        marker, fields, members = pipeline.execute()
    if marker != COMPLETE or fields - 1 != members:
        return None
    return int(members)


def mark_incomplete(scope: BoardPeriod) -> None:
    """Have the period's order built anew from PostgreSQL when it is read next."""
    with outages():
        client().hdel(scope.keys()[1], "")


def top(scope: BoardPeriod, limit: int) -> list[tuple[str, float]]:
    """The first `limit` (member, double) in rank order. Raises CacheUnavailable."""
    with outages():
        found: Any = client().zrange(scope.keys()[0], 0, limit - 1, withscores=True)
    return [(member.decode(), double) for member, double in found]


class Builder:
    """Builds a period aside and renames it in, complete or not at all."""

    def __init__(self, scope: BoardPeriod, token: str) -> None:
        self.scope = scope
        self.token = token

    def begin(self) -> None:
        """From here on writers write what is being built, too; take the snapshot after this."""
        _, _, rank, players = self.scope.keys()
        with outages():
            pipeline = client().pipeline(transaction=True)
            pipeline.delete(rank, players)
            pipeline.hset(players, "", self.token)
            pipeline.expire(players, 600)  # an abandoned build disappears
            pipeline.execute()

    def add(self, places: Sequence[Place]) -> None:
        """Add places of the snapshot."""
        keys = self.scope.keys()
        with outages():
            script = client().register_script(_PUT)
            for start in range(0, len(places), _BATCH):
                arguments: list[str | int] = [0]
                for place in places[start : start + _BATCH]:
                    arguments += place.arguments()
                # The build's keys stand where the live ones do; nothing is built beside them.
                script(keys=[keys[2], keys[3], keys[2] + ":-", keys[3] + ":-"], args=arguments)

    def finish(self) -> bool:
        """Rename in; False where the build was lost (Redis emptied) or taken over."""
        with outages():
            script = client().register_script(_FINISH)
            return bool(script(keys=self.scope.keys(), args=[self.token, TTL[self.scope.period]]))
