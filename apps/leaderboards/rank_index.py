"""Rank order in Redis: one sorted set and one hash a board and period.

Keys of a board's period (one hash tag, so one Redis Cluster slot):
  lb:{game|board|period|start|gN}:rank sorted set: score = rank key as a double,
                                       member = exact order among equal doubles (`rank_members`)
  lb:{...}:player                      hash: player id -> "<version> <member>";
                                       field "" -> "complete" where every entry is in
  lb:{...}:new:rank, :new:player       the same, while being built aside
  lb:{...}:gone                        hash: player id -> the version of an entry that an act took
                                       away (`rank_acts`); none up to it comes in again
N is the generation of the board's entries: after a switch to others, readers and writers come to
other keys at once. There is no |gN in the first generation, 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from apps.leaderboards.periods import Period
from apps.leaderboards.rank_members import double_and_member
from apps.leaderboards.rank_scripts import ADD, BEGIN, FINISH, PUT
from apps.ledger.cache import client, outages
from apps.ledger.scripts import Script

# Seconds that a period's order outlives its last write; it is rebuilt when read later.
TTL: Final = {
    Period.ALLTIME: 0,
    Period.DAILY: 3 * 86400,
    Period.WEEKLY: 10 * 86400,
    Period.MONTHLY: 35 * 86400,
    Period.SEASON: 35 * 86400,
}
COMPLETE: Final = b"complete"
# Entries a command while building aside: at most 7 ms of Redis's single thread.
BATCH: Final = 500
# Seconds after which a build whose builder does not go on is abandoned.
_LEASE: Final = 60
# Scopes that a process remembers as kept up in Redis.
_MOST: Final = 10_000
_pack: Final = msgspec.msgpack.Encoder().encode
# A guess which scopes are kept up: it saves a round trip or the rows' way, and decides nothing.
_kept_up: set[BoardPeriod] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardPeriod:
    """One board in one period, as one generation of its entries has it."""

    game_id: str
    board: str
    period: Period
    period_start: datetime
    generation: int = 0

    def keys(self) -> list[str]:
        tag = f"{self.game_id}|{self.board}|{self.period}|{self.period_start:%Y-%m-%dT%H%M}"
        if self.generation:
            tag = f"{tag}|g{self.generation}"
        base = "lb:{" + tag.replace("{", "(").replace("}", ")") + "}"
        return [f"{base}:{part}" for part in ("rank", "player", "new:rank", "new:player")]

    def written_keys(self) -> list[str]:
        """Those of `keys`, and the tombstones."""
        keys = self.keys()
        return [*keys, keys[0].removesuffix("rank") + "gone"]


class Place(NamedTuple):
    """What ranks a player in a board's period, at a version."""

    scope: BoardPeriod
    player_id: str
    rank_key: Decimal
    achieved_at: datetime
    version: int

    def copy(self) -> tuple[str, str, str]:
        """What Redis holds of it: the player's field, the double as text and the member."""
        double, member = double_and_member(self.rank_key, self.achieved_at, self.player_id)
        return f"{self.version} {member}", double, member


class Untold(NamedTuple):
    """Players of a board's period whose entries may have changed, in rows that nobody asked for:
    Redis seemed not to keep up its order."""

    scope: BoardPeriod
    player_ids: Sequence[str]


def places_of(
    rows: Iterable[Sequence[Any]], generations: Mapping[tuple[str, str], int]
) -> Iterator[Place]:
    """From rows of the columns that `upserts` returns and `selectors` selects.

    `generations` by game and board; 0 where there is none, as of the default board.
    Times may be text as PostgreSQL writes it: many rows share a few of them.
    """
    scopes: dict[Any, BoardPeriod] = {}
    times: dict[Any, datetime] = {}
    for row in rows:
        key, achieved_at = row[:4], row[6]
        scope = scopes.get(key)
        if scope is None:
            game_id, board, period, start = key
            scope = scopes[key] = BoardPeriod(
                game_id=game_id,
                board=board,
                period=Period(period),
                period_start=moment(start),
                generation=generations.get((game_id, board), 0),
            )
        at = times.get(achieved_at)
        if at is None:
            at = times[achieved_at] = moment(achieved_at)
        yield Place(scope, row[4], row[5], at, row[7])


def moment(value: datetime | str) -> datetime:
    """In UTC, of a time or of its text."""
    told = datetime.fromisoformat(value) if isinstance(value, str) else value
    return told.astimezone(UTC)


def put(places: Iterable[Place]) -> None:
    """Keep up the orders that Redis holds or builds, with places that are newer than its own.

    Called after the commit, so what is neither held nor built now needs nothing: a build that
    begins later reads it from PostgreSQL. Raises CacheUnavailable.
    """
    scopes = _newest(places)
    with outages():
        wanted = _held_or_built(scopes)
        for scope, still in zip(wanted, _put(scopes, wanted), strict=True):
            (_kept_up.add if still else _kept_up.discard)(scope)
    if len(_kept_up) > _MOST:
        _kept_up.clear()


def _newest(places: Iterable[Place]) -> dict[BoardPeriod, dict[str, Place]]:
    """By scope, each player once: two halves of a bisected chunk may both have changed an entry."""
    # By identity first: a scope's hash costs more than all else here.
    groups: dict[int, tuple[BoardPeriod, dict[str, Place]]] = {}
    for place in places:
        group = groups.get(id(place.scope))
        if group is None:
            group = groups[id(place.scope)] = (place.scope, {})
        held = group[1].setdefault(place.player_id, place)
        if held.version < place.version:
            group[1][place.player_id] = place
    scopes: dict[BoardPeriod, dict[str, Place]] = {}
    for scope, found in groups.values():
        known = scopes.setdefault(scope, found)
        if known is not found:
            for player_id, place in found.items():
                if known.setdefault(player_id, place).version < place.version:
                    known[player_id] = place
    return scopes


def seems_kept_up(scope: BoardPeriod) -> bool:
    """Whether this process found Redis to keep up the order when it wrote to it last."""
    return scope in _kept_up


def kept_up(scopes: Iterable[BoardPeriod]) -> set[BoardPeriod]:
    """Those whose order Redis holds or builds now. Raises CacheUnavailable."""
    with outages():
        return set(_held_or_built(set(scopes)))


def _held_or_built(scopes: Iterable[BoardPeriod]) -> list[BoardPeriod]:
    """Of those that seem to be kept up it is not asked."""
    found: list[BoardPeriod] = []
    unsure: list[BoardPeriod] = []
    for scope in scopes:
        (found if scope in _kept_up else unsure).append(scope)
    if unsure:
        pipeline = client().pipeline(transaction=False)
        for scope in unsure:
            _, players, _, building = scope.keys()
            pipeline.exists(players, building)
        found += [scope for scope, there in zip(unsure, pipeline.execute(), strict=True) if there]
    return found


def _put(
    scopes: Mapping[BoardPeriod, Mapping[str, Place]], wanted: Sequence[BoardPeriod]
) -> list[Any]:
    if not wanted:
        return []
    return PUT.run_all(
        client(),
        [
            (scope.written_keys(), (TTL[scope.period], packed(scopes[scope].values())))
            for scope in wanted
        ],
    )


def packed(places: Iterable[Place]) -> bytes:
    """The places as rows of the scripts."""
    rows: list[str] = []
    for place in places:
        told, double, _ = place.copy()
        rows += (place.player_id, told, double)
    return _pack(rows)


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


def retire(scope: BoardPeriod) -> None:
    """Let the order go, of a generation that is over, once nobody is reading it any more."""
    with outages():
        pipeline = client().pipeline(transaction=False)
        for key in scope.keys():  # noqa: SIM118  no mapping
            pipeline.expire(key, _LEASE)
        pipeline.execute()


class Builder:
    """Builds a period aside and renames it in, complete or not at all."""

    def __init__(self, scope: BoardPeriod, token: str) -> None:
        self.scope = scope
        self.token = token

    def begin(self) -> bool:
        """Whether the build is ours; False while another builds.

        From here on writers write what is being built, too; take the snapshot after this.
        """
        return self._run(BEGIN, self.token, _LEASE)

    def add(self, places: Iterable[Place]) -> bool:
        """Add places of the snapshot; False where the build is lost (see `finish`)."""
        return self._run(ADD, self.token, _LEASE, packed(places))

    def finish(self) -> bool:
        """Rename in; False where the build was lost (Redis emptied, lease over) or another's."""
        return self._run(FINISH, self.token, TTL[self.scope.period])

    def _run(self, script: Script, *arguments: Any) -> bool:
        with outages():
            return bool(script.run(client(), self.scope.written_keys(), *arguments))
