"""Hidden players and removed scores: ranks follow at once, and nothing late brings them back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import redis

from apps.contract.queues import Consumer
from apps.hints import announce
from apps.hints.announce import Audience
from apps.hints.hint import channel, decode
from apps.leaderboards import locks, moderation, rank_acts, rank_build, rank_index
from apps.leaderboards.acts import BoardUnknown, Said
from apps.leaderboards.models import (
    Decision,
    Entry,
    HiddenPlayer,
    LeaderboardsAppliedEvent,
    ModerationAct,
)
from apps.leaderboards.moderation import ActConflict, ActUnknown, ScoreUnknown
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod, Place
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import GAME, TOPIC_ID, chunk, event_id, record
from tests.totals import CONSUMERS, score_of, shown
from tests.waiting import while_uncommitted

pytestmark = pytest.mark.django_db(transaction=True)
SAID = Said(by="operator", reason="a bot")
SCOPE = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)


def apply(offset: int, player_id: str, score: int, *, number: int | None = None) -> None:
    """Into the log and onto the boards."""
    carried = chunk(
        [record(offset, player_id=player_id, data=f'{{"score": {score}}}', number=number)]
    )
    for consumer in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[consumer], carried)
    ConsumerPosition.objects.update_or_create(
        consumer=Consumer.LOGGING,
        topic_id=TOPIC_ID,
        partition=0,
        defaults={"next_offset": offset + 1},
    )


@pytest.fixture
def played(cache: redis.Redis) -> redis.Redis:
    """ada has 7 of two events, bo 5 and cyd 3; Redis holds the order."""
    for offset, (player_id, score) in enumerate([("ada", 4), ("ada", 3), ("bo", 5), ("cyd", 3)]):
        apply(offset, player_id, score)
    assert rank_build.rebuild(SCOPE)
    return cache


def ranked() -> list[tuple[str, int]]:
    """In Redis, which must hold all of them."""
    assert rank_index.size(SCOPE) == Entry.objects.filter(period="alltime").count()
    return [(player, int(score)) for player, score in shown(SCOPE, 10)]


ALL = [("ada", 7), ("bo", 5), ("cyd", 3)]


def test_a_hidden_player_is_gone_at_once_and_comes_back_with_what_came_meanwhile(
    played: redis.Redis,
) -> None:
    assert moderation.hide(GAME, "ada", "", SAID) is not None
    assert ranked() == [("bo", 5), ("cyd", 3)]
    apply(4, "ada", 2)
    apply(5, "bo", 1)
    assert ranked() == [("bo", 6), ("cyd", 3)]
    assert LeaderboardsAppliedEvent.objects.count() == 6
    assert moderation.hide(GAME, "ada", "", SAID) is None
    assert moderation.unhide(GAME, "ada", "", SAID) is not None
    assert ranked() == [("ada", 9), ("bo", 6), ("cyd", 3)]
    assert moderation.unhide(GAME, "ada", "", SAID) is None


def test_a_player_may_be_hidden_on_one_board_and_on_all(played: redis.Redis) -> None:
    moderation.hide(GAME, "ada", "default", SAID)
    moderation.hide(GAME, "ada", "", SAID)
    moderation.unhide(GAME, "ada", "", SAID)
    assert ranked() == ALL[1:]
    moderation.unhide(GAME, "ada", "default", SAID)
    assert ranked() == ALL


def test_a_removed_score_does_not_count_until_that_is_undone(played: redis.Redis) -> None:
    (act,) = moderation.remove(GAME, "default", [event_id(0)], SAID)
    assert ranked() == [("bo", 5), ("ada", 3), ("cyd", 3)]
    assert moderation.remove(GAME, "default", [event_id(0)], SAID) == []
    (other,) = moderation.remove(GAME, "default", [event_id(1)], SAID)
    assert ranked() == ALL[1:]
    moderation.undo(GAME, other.pk, SAID)
    moderation.undo(GAME, act.pk, SAID)
    assert ranked() == ALL
    assert not Decision.objects.exists()
    with pytest.raises(ActConflict):
        moderation.undo(GAME, act.pk, SAID)


def test_all_of_it_is_in_the_log_of_acts(played: redis.Redis) -> None:
    moderation.hide(GAME, "ada", "", SAID)
    moderation.undo(GAME, ModerationAct.objects.get().pk, Said(by="cyd", reason="no bot"))
    moderation.remove(GAME, "default", [event_id(2)], SAID)
    acts = [
        (act.action, act.player_id, act.event_id and str(act.event_id), act.actor, act.reason)
        for act in ModerationAct.objects.order_by("id")
    ]
    assert acts == [
        ("hide", "ada", None, "operator", "a bot"),
        ("unhide", "ada", None, "cyd", "no bot"),
        ("remove", "bo", event_id(2), "operator", "a bot"),
    ]
    first, second, third = ModerationAct.objects.order_by("id")
    assert (first.undo_of, second.undo_of, third.undo_of) == (None, first, None)
    assert (third.before, third.after) == ("", "removed")


def test_what_is_not_there_cannot_be_acted_upon(played: redis.Redis) -> None:
    apply(4, "bo", 1, number=77)
    moderation.remove(GAME, "default", [event_id(77)], SAID)
    undone = moderation.undo(GAME, ModerationAct.objects.get().pk, SAID)
    entries = list(Entry.objects.order_by("id").values())
    with pytest.raises(BoardUnknown):
        moderation.hide(GAME, "ada", "nowhere", SAID)
    with pytest.raises(BoardUnknown):
        moderation.remove(GAME, "nowhere", [event_id(0)], SAID)
    with pytest.raises(ScoreUnknown):
        moderation.remove(GAME, "default", [event_id(0), event_id(99)], SAID)
    with pytest.raises(ActUnknown):
        moderation.undo(GAME, 10**9, SAID)
    with pytest.raises(ActUnknown):
        moderation.undo("go", undone.pk, SAID)
    with pytest.raises(ActConflict):
        moderation.undo(GAME, undone.pk, SAID)
    assert list(Entry.objects.order_by("id").values()) == entries
    assert not HiddenPlayer.objects.exists()


def places() -> list[Place]:
    """What a chunk would write of ada's entries now."""
    rows = Entry.objects.filter(player_id="ada")
    return list(
        rank_index.places_of(
            rows.values_list(
                *("game_id", "board", "period", "period_start", "player_id"),
                *("rank_key", "achieved_at", "version"),
            ),
            {},
        )
    )


@pytest.mark.parametrize("emptied", [False, True])
def test_an_older_write_that_comes_late_brings_nobody_back(
    played: redis.Redis, emptied: bool
) -> None:
    late = places()
    moderation.hide(GAME, "ada", "", SAID)
    if emptied:
        played.flushdb()
        assert rank_build.rebuild(SCOPE)
    rank_index.put(late)
    assert ranked() == ALL[1:]
    builder = rank_index.Builder(SCOPE, "a builder")
    assert builder.begin()
    rank_index.put(late)
    played.unlink(*SCOPE.keys()[2:])
    assert rank_build.rebuild(SCOPE)
    rank_index.put(late)
    assert ranked() == ALL[1:]
    moderation.unhide(GAME, "ada", "", SAID)
    rank_index.put(late)
    assert ranked() == ALL


def test_a_build_of_before_the_act_is_lost(played: redis.Redis) -> None:
    builder = rank_index.Builder(SCOPE, "a builder")
    assert builder.begin()
    late = places()
    moderation.hide(GAME, "ada", "", SAID)
    assert not builder.add(late)
    assert not builder.finish()
    assert ranked() == ALL[1:]


def test_a_death_between_commit_and_redis_leaves_no_wrong_rank(
    played: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(rank_acts, "resume", die)
    with pytest.raises(SystemExit):
        moderation.hide(GAME, "ada", "", SAID)
    assert HiddenPlayer.objects.exists()
    assert not rank_build.rebuild(SCOPE), "nobody may build between suspend and commit"
    assert [player for player, _ in shown(SCOPE, 10)] == ["bo", "cyd"]  # from PostgreSQL
    assert 0 < played.ttl(SCOPE.keys()[3]) <= rank_acts.LEASE
    played.unlink(SCOPE.keys()[3])  # as when the lease is over
    assert rank_build.rebuild(SCOPE)
    assert ranked() == ALL[1:]


def test_an_act_that_is_not_committed_leaves_the_ranks_alone(
    played: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> str:
        raise CacheUnavailable("Redis: away")

    monkeypatch.setattr(rank_acts, "suspend", away)
    with pytest.raises(CacheUnavailable):
        moderation.hide(GAME, "ada", "", SAID)
    assert ranked() == ALL
    assert not HiddenPlayer.objects.exists()
    assert not ModerationAct.objects.exists()


def test_a_log_that_is_behind_refuses_the_act(
    played: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.ledger.coverage.LOG_PATIENCE", 0.0)
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(9)]))
    with pytest.raises(LogBehind):
        moderation.hide(GAME, "ada", "", SAID)


def test_a_score_that_waited_for_the_act_is_not_counted(played: redis.Redis) -> None:
    """A worker that remembers nobody hidden, and hears of it under the lock."""

    def hide() -> None:
        locks.hold_scores_still()
        HiddenPlayer.objects.create(
            game_id=GAME, board="", player_id="ada", hidden_by="a", reason="b"
        )

    late = chunk([record(9)])
    while_uncommitted(
        hide,
        lambda: apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], late),
        waits_for="advisory",
    )
    assert score_of("ada") == (
        Decimal(7),
        Entry.objects.get(period="alltime", player_id="ada").achieved_at,
    )


def test_a_claim_that_was_lost_comes_again_and_obeys(played: redis.Redis) -> None:
    moderation.remove(GAME, "default", [event_id(0)], SAID)
    LeaderboardsAppliedEvent.objects.filter(pk=event_id(0)).delete()
    apply(9, "ada", 4, number=0)
    assert ranked() == [("bo", 5), ("ada", 3), ("cyd", 3)]


def test_live_boards_are_told(played: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "_audience", Audience())
    with played.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(channel(GAME))
        assert pubsub.get_message(timeout=10)["type"] == "subscribe"
        moderation.hide(GAME, "ada", "", SAID)
        message: Any = pubsub.get_message(timeout=10)
    assert decode(message["data"]).touches("default", "alltime")
