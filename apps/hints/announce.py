"""Tell over Redis pub/sub what a chunk changed, if anybody listens.

Called after the Redis write. Costs one question each DEAF_SECONDS while nobody listens, and one
pipeline a chunk for the games that are watched. Redis is not waited for: a hint is worth no retry.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import redis

from apps.hints.hint import (
    CHANNELS,
    DEAF_SECONDS,
    MAX_BOARDS,
    MAX_PLAYERS,
    Hint,
    PlayerTotal,
    channel,
    encode,
    game_of,
)
from apps.ledger.cache import client

logger = logging.getLogger(__name__)
# Seconds of silence after Redis refused or did not answer: listeners look by themselves, too.
_AFTER_TROUBLE: Final = 5.0


Pair = tuple[str, str]  # player_id, game_id


class Scope(Protocol):
    """A board's period, of which some entry changed."""

    @property
    def game_id(self) -> str: ...
    @property
    def board(self) -> str: ...
    @property
    def period(self) -> str: ...


class Totals(Protocol):
    """A player's statistics in a game."""

    @property
    def game_id(self) -> str: ...
    @property
    def player_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def total_events(self) -> int: ...
    @property
    def last_event_at(self) -> datetime: ...


class Audience:
    """The games that somebody watches, as Redis told it a moment ago."""

    def __init__(self) -> None:
        self._games: frozenset[str] = frozenset()
        self._ask_at = 0.0  # of the monotonic clock

    def games(self) -> frozenset[str]:
        if time.monotonic() >= self._ask_at:
            try:
                found: Any = client().pubsub_channels(f"{CHANNELS}*")
            except redis.RedisError as error:
                self.lose(error)
            else:
                self._games = frozenset(game_of(name) for name in found)
                self._ask_at = time.monotonic() + DEAF_SECONDS
        return self._games

    def lose(self, error: redis.RedisError) -> None:
        """Be silent for a while: not even a missing permission may stop a consumer."""
        logger.warning("changes are not told to live boards", extra={"error": str(error)})
        self._games = frozenset()
        self._ask_at = time.monotonic() + _AFTER_TROUBLE


_audience: Final = Audience()


def boards_changed(scopes: Iterable[Scope]) -> None:
    """Some entries of these boards' periods have changed in Redis."""
    watched = _audience.games()
    if not watched:
        return
    touched: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for scope in scopes:
        if scope.game_id in watched:
            touched[scope.game_id].add((scope.board, scope.period))
    _publish(
        {
            game_id: Hint(any_board=True)
            if len(boards) > MAX_BOARDS
            else Hint(boards=tuple(sorted(boards)))
            for game_id, boards in touched.items()
        }
    )


def players_changed(
    pairs: Iterable[Pair], totals: Callable[[list[Pair]], Sequence[Totals]]
) -> None:
    """The statistics of these (player_id, game_id) have changed; `totals` reads some, for a hint.

    Raises what `totals` raises.
    """
    watched = _audience.games()
    if not watched:
        return
    changed: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair[1] in watched:
            changed[pair[1]].append(pair)
    _publish(
        {
            game_id: _of_players(totals(found[:MAX_PLAYERS]), len(found))
            for game_id, found in changed.items()
        }
    )


def _of_players(named: Sequence[Totals], changed: int) -> Hint:
    return Hint(
        players=tuple(
            PlayerTotal(
                player_id=one.player_id,
                version=one.version,
                total_events=one.total_events,
                last_event_at=one.last_event_at,
            )
            for one in named
        ),
        unnamed=max(0, changed - MAX_PLAYERS),
    )


def _publish(hints: Mapping[str, Hint]) -> None:
    if not hints:
        return
    pipeline = client().pipeline(transaction=False)
    for game_id, hint in hints.items():
        pipeline.publish(channel(game_id), encode(hint))
    try:
        pipeline.execute()
    except redis.RedisError as error:
        _audience.lose(error)
