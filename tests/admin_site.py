"""The admin as an operator walks through it, and the rows to find there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import urlencode

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.deadletters.models import DeadLetter, DeadLetterJob
from apps.events.models import Event
from apps.leaderboards.models import Decision, Entry, HiddenPlayer, ModerationAct
from apps.stats.aggregate_models import StatDefinition
from apps.stats.aggregates import Definition, Operator
from apps.stats.models import (
    GameStatistics,
    GameStatisticsDaily,
    PlayerStatistics,
    PlayerStatisticsDaily,
    StatsBuild,
)
from tests.builders import CAST, GAME, NOW, TOPIC, TOPIC_ID, event_id, minutes

EVENTS = "events_event"
STATISTICS = "stats_playerstatistics"
ENTRIES = "leaderboards_entry"
BOARDS = "leaderboards_board"
LETTERS = "deadletters_deadletter"
JOBS = "deadletters_deadletterjob"
PLAYER_DAYS = "stats_playerstatisticsdaily"
GAMES = "stats_gamestatistics"
GAME_DAYS = "stats_gamestatisticsdaily"
BUILDS = "stats_statsbuild"
DEFINITIONS = "stats_statdefinition"
COUNTS = (PLAYER_DAYS, GAMES, GAME_DAYS, BUILDS, DEFINITIONS)
DECISIONS = "leaderboards_decision"
HIDDEN = "leaderboards_hiddenplayer"
ACTS = "leaderboards_moderationact"
CONDUCT = (DECISIONS, HIDDEN, ACTS)
BOARD_BUILDS = "leaderboards_boardbuild"
LISTS = (EVENTS, STATISTICS, ENTRIES, BOARDS, LETTERS, JOBS, *COUNTS, *CONDUCT, BOARD_BUILDS)
SCRIPT = "</pre><img src=x onerror=alert(1)>"
REVERSED = "\u202eada"

# What the test client makes of a response: with `context` and `wsgi_request`.
Response: TypeAlias = Any


def show(client: Client, name: str, **parameters: str) -> Response:
    address = reverse(f"admin:{name}_changelist")
    return client.get(f"{address}?{urlencode(parameters)}")


def page(client: Client, name: str, key: object) -> str:
    response = client.get(reverse(f"admin:{name}_change", args=(key,)))
    assert response.status_code == 200
    return response.content.decode()


def shown(response: Response) -> list[Any]:
    assert response.status_code == 200
    rows: list[Any] = list(response.context["cl"].result_list)
    return rows


def said(response: Response) -> str:
    return " ".join(map(str, get_messages(response.wsgi_request)))


def new_event(number: int, **changes: Any) -> Event:
    fields = {
        "event_id": uuid.UUID(event_id(number)),
        "event_type": "player_score",
        "player_id": CAST[number % 3],
        "game_id": GAME,
        "event_timestamp": minutes(number),
        "ingested_at": NOW,
        "data": {"score": number},
    }
    return Event(**{**fields, **changes})


def new_letter(offset: int, **changes: Any) -> DeadLetter:
    fields = {
        "original_event": {"player_id": "ada"},
        "error_message": "the score is no number",
        "consumer_service": "stats",
        "cause": "22P02",
        "event_id": uuid.UUID(event_id(offset)),
        "event_type": "player_score",
        "player_id": CAST[offset % 3],
        "game_id": GAME,
        "topic": TOPIC,
        "topic_id": TOPIC_ID,
        "partition": 0,
        "offset": offset,
        "raw": b"{}",
    }
    return DeadLetter(**{**fields, **changes})


def new_job(**changes: Any) -> DeadLetterJob:
    fields = {
        "action": "replay",
        "filter": {"cause": "22P02"},
        "per_second": 100,
        "total": 3,
        "max_id": 3,
        "paced_at": NOW,
        "created_by": "bo",
    }
    return DeadLetterJob(**{**fields, **changes})


def new_entry(number: int, **changes: Any) -> Entry:
    score = Decimal(number)
    fields = {
        "game_id": GAME,
        "board": "points",
        "period": "daily",
        "period_start": NOW - timedelta(days=number),
        "player_id": CAST[number % 3],
        "score": score,
        "rank_key": -score,
        "achieved_at": NOW,
        "moved": True,
    }
    return Entry(**{**fields, **changes})


def new_conduct() -> tuple[object, ...]:
    """The key of a row in each list of CONDUCT."""
    decision = Decision.objects.create(
        game_id=GAME,
        board="points",
        event_id=event_id(1),
        player_id="ada",
        event_timestamp=NOW,
        score=Decimal(9),
        rule="max",
        detail="9 is above 8",
        state=Decision.HELD,
        board_version=1,
    )
    hidden = HiddenPlayer.objects.create(
        game_id=GAME, board="", player_id="bo", hidden_by="cyd", reason="a bot"
    )
    act = ModerationAct.objects.create(
        game_id=GAME, board="", player_id="bo", action="hide", actor="cyd", reason="a bot"
    )
    return decision.pk, hidden.pk, act.pk


def new_statistics(player_id: str, total: int, game_id: str = GAME) -> PlayerStatistics:
    return PlayerStatistics(
        player_id=player_id,
        game_id=game_id,
        total_events=total,
        event_breakdown={"player_score": total},
        first_event_at=NOW,
        last_event_at=NOW,
    )


def new_counts() -> tuple[int, ...]:
    """The keys of a row in each list of COUNTS."""
    day = PlayerStatisticsDaily.objects.create(
        player_id="ada",
        game_id=GAME,
        day=NOW.date(),
        total_events=3,
        event_breakdown={"player_score": 3},
        first_event_at=NOW,
        last_event_at=NOW,
    )
    game = GameStatistics.objects.create(game_id=GAME, shard=0, total_events=3, players=1)
    game_day = GameStatisticsDaily.objects.create(
        game_id=GAME, day=NOW.date(), shard=0, total_events=3, active_players=1
    )
    build = StatsBuild.objects.create(state=StatsBuild.DONE, backend_pid=1)
    StatDefinition.put_in_force(
        Definition(
            game_id=GAME,
            name="damage",
            event_types=("hit",),
            pointer="/damage",
            operator=Operator.SUM,
        ),
        1,
        by="ada",
        reason="",
    )
    return day.pk, game.pk, game_day.pk, build.pk, StatDefinition.objects.get().pk


def walked(client: Client, name: str, link: str, **parameters: str) -> Iterator[list[Any]]:
    """Page after page along the `next` or `previous` links."""
    response = show(client, name, **parameters)
    while True:
        yield shown(response)
        url = getattr(response.context["cl"], f"{link}_url")
        if not url:
            return
        response = client.get(reverse(f"admin:{name}_changelist") + url)
