"""What consumers tell over pub/sub: only of watched games, and never at their own cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from apps.hints import announce
from apps.hints.announce import Audience
from apps.hints.hint import MAX_BOARDS, Hint, channel, decode
from apps.leaderboards.periods import CALENDAR, EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.services import LeaderboardsConsumer
from apps.ledger.models import AppliedChunk
from apps.ledger.services import apply_chunk
from apps.live.hub import Hub, HubFull
from apps.stats.services import StatsConsumer
from gamemetrics.stack.ports import HOST
from tests.builders import GAME, chunk, points_of_the_cast
from tests.redis_servers import run_redis


@pytest.fixture
def audience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has asked yet who listens."""
    monkeypatch.setattr(announce, "_audience", Audience())


@pytest.fixture
def listener(cache: redis.Redis, audience: None) -> Iterator[Any]:
    with cache.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(channel(GAME))
        assert pubsub.get_message(timeout=10)["type"] == "subscribe"
        yield pubsub


def heard(pubsub: Any) -> Hint:
    message = pubsub.get_message(timeout=10)
    assert message is not None, "nothing was told"
    return decode(message["data"])


def scope(game_id: str = GAME, board: str = "points") -> BoardPeriod:
    return BoardPeriod(game_id=game_id, board=board, period=Period.DAILY, period_start=EPOCH)


@pytest.mark.django_db(transaction=True)
def test_a_chunk_tells_its_boards_and_its_players(listener: Any) -> None:
    records = points_of_the_cast(9)
    apply_chunk(LeaderboardsConsumer(), chunk(records))
    assert set(heard(listener).boards) == {("default", period.value) for period in CALENDAR}
    apply_chunk(StatsConsumer(), chunk(records))
    assert {player.player_id: player.total_events for player in heard(listener).players} == {
        "ada": 3, "bo": 3, "cyd": 3,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_chunk_whose_worker_died_before_redis_is_told_again(listener: Any) -> None:
    for _ in range(2):
        apply_chunk(LeaderboardsConsumer(), chunk(points_of_the_cast(3)))
        assert heard(listener).touches("default", "alltime")
        AppliedChunk.objects.update(cached=False)


def test_other_games_are_not_told(listener: Any, cache: redis.Redis) -> None:
    announce.boards_changed([scope("go"), scope(GAME)])
    assert heard(listener).boards == (("points", "daily"),)
    announce.boards_changed([scope("go")])
    assert listener.get_message(timeout=0.1) is None


def test_a_channel_that_is_not_ours_stops_nobody(listener: Any) -> None:
    listener.subscribe(b"live:\xff\xfe")
    assert listener.get_message(timeout=10)["type"] == "subscribe"
    announce.boards_changed([scope()])
    assert heard(listener).boards == (("points", "daily"),)


def test_too_many_boards_are_told_as_any(listener: Any) -> None:
    announce.boards_changed(scope(board=f"board-{n}") for n in range(MAX_BOARDS + 1))
    assert heard(listener) == Hint(any_board=True)


def test_while_nobody_listens_redis_is_asked_now_and_then(
    cache: redis.Redis, audience: None
) -> None:
    before = _calls(cache)
    for _ in range(1_000):
        announce.boards_changed([scope()])
    questions, published = (now - old for now, old in zip(_calls(cache), before, strict=True))
    assert questions < 100
    assert published == 0


def _calls(cache: redis.Redis) -> tuple[int, int]:
    told: Any = cache.info("commandstats")
    asked = told.get("cmdstat_pubsub", told.get("cmdstat_pubsub|channels", {"calls": 0}))
    return asked["calls"], told.get("cmdstat_publish", {"calls": 0})["calls"]


def test_a_redis_that_does_not_let_us_publish_stops_nobody(
    audience: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_redis(password="secret") as port:
        stranger = redis.Redis(host=HOST, port=port)
        monkeypatch.setattr(announce, "client", lambda: stranger)
        began = time.monotonic()
        for _ in range(1_000):
            announce.boards_changed([scope()])
        assert time.monotonic() - began < 60
        stranger.close()


def test_a_hub_has_as_many_places_as_it_says(redis_server: str) -> None:
    hub = Hub(limit=2)
    boxes = [hub.open(GAME, "points", "daily") for _ in range(2)]
    with pytest.raises(HubFull):
        hub.open(GAME, "points", "daily")
    hub.close(boxes[0])
    hub.close(boxes[0])  # a second time gives no second place
    boxes.append(hub.open(GAME, "points", "daily"))
    with pytest.raises(HubFull):
        hub.open(GAME, "points", "daily")
    hub.stop()
    assert boxes[1].take(until=time.monotonic() + 3_600, players_from=0.0) is None
    for box in boxes:
        hub.close(box)
