"""What the shipped events add up to, computed from the file alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from apps.demo.boards import Ranks, ranks
from apps.demo.lichess import Recording


class Statistics(NamedTuple):
    """A player in a game."""

    total: int
    by_type: Mapping[str, int]
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The totals that the pipeline must show."""

    events: int
    players: int
    by_type: Mapping[str, int]
    by_game: Mapping[str, int]
    statistics: Mapping[tuple[str, str], Statistics]  # (player_id, game_id)
    ranks: Ranks

    @property
    def games(self) -> list[str]:
        return sorted(self.by_game)


def facts_of(recording: Recording) -> Facts:
    """Events count once by their id."""
    events = list({event.event_id: event for event in recording.events}.values())
    types: dict[tuple[str, str], Counter[str]] = {}
    times: dict[tuple[str, str], list[datetime]] = {}
    for event in events:
        key = (event.player_id, event.game_id)
        types.setdefault(key, Counter())[event.event_type] += 1
        times.setdefault(key, []).append(event.timestamp)
    return Facts(
        events=len(events),
        players=len({event.player_id for event in events}),
        by_type=Counter(event.event_type for event in events),
        by_game=Counter(event.game_id for event in events),
        statistics={
            key: Statistics(counts.total(), counts, min(times[key]), max(times[key]))
            for key, counts in types.items()
        },
        ranks=ranks(events),
    )


def as_known(facts: Facts, known: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in the shape of `expected.json`, with as many places a board as it lists."""
    boards: dict[str, dict[str, Any]] = {}
    for (game_id, name), board in facts.ranks.items():
        listed = len(known["boards"].get(game_id, {}).get(name, {}).get("top", ()))
        boards.setdefault(game_id, {})[name] = {
            "players": len(board),
            "tied_for_first": sum(rank.score == board[0].score for rank in board),
            "top": [
                [rank.player_id, float(rank.score), f"{rank.achieved_at:%Y-%m-%dT%H:%M:%SZ}"]
                for rank in board[:listed]
            ],
        }
    return {
        "events": facts.events,
        "players": facts.players,
        "by_type": dict(facts.by_type),
        "by_game": dict(facts.by_game),
        "first": f"{min(s.first_at for s in facts.statistics.values()):%Y-%m-%dT%H:%M:%SZ}",
        "last": f"{max(s.last_at for s in facts.statistics.values()):%Y-%m-%dT%H:%M:%SZ}",
        "boards": boards,
    }
