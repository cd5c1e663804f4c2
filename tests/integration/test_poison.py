"""What cannot be applied goes to the dead letters alone, with its cause and its bytes."""

from __future__ import annotations

import msgspec
import pytest
import redis

from apps.contract.chunk import Chunk, Refused, from_message, to_message
from apps.contract.envelope import decode_event
from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.leaderboards.models import LeaderboardsAppliedEvent
from apps.ledger.services import apply_chunk
from bridge.buffer import for_consumer
from tests.builders import NOW, chunk, event_id, points_of_the_cast, record, refused
from tests.totals import CONSUMERS, events_of, totals

pytestmark = pytest.mark.django_db
LEADERBOARDS = CONSUMERS[Consumer.LEADERBOARDS]
RANDOM_BYTES = bytes(range(256))


def five_hundred_with_one_bad_score() -> Chunk:
    records = points_of_the_cast(500)
    records[321] = record(321, player_id="bo", data='{"score": "a lot"}')
    return chunk(records)


def test_one_bad_score_among_500_is_dead_lettered_alone(cache: redis.Redis) -> None:
    outcome = apply_chunk(LEADERBOARDS, five_hundred_with_one_bad_score())
    assert (outcome.applied, outcome.duplicates, outcome.dead) == (499, 0, 1)
    letter = DeadLetter.objects.get()
    assert (letter.consumer_service, letter.cause) == ("leaderboards", "score_invalid")
    assert letter.error_message == "data/score must be a number, is str"
    assert (str(letter.event_id), letter.player_id, letter.offset) == (event_id(321), "bo", 321)
    assert (letter.event_type, letter.game_id, letter.state) == ("player_score", "chess", "open")


def test_a_dead_letter_keeps_the_event_as_it_can_be_replayed(cache: redis.Redis) -> None:
    carried = five_hundred_with_one_bad_score()
    apply_chunk(LEADERBOARDS, carried)
    letter = DeadLetter.objects.get()
    replayed = decode_event(bytes(letter.raw), now=NOW, absent_id=event_id(0))
    assert replayed.event_id == event_id(321)
    assert bytes(replayed.data) == b'{"score": "a lot"}'
    assert letter.original_event["data"] == {"score": "a lot"}


def test_a_dead_lettered_event_is_not_marked_as_applied(cache: redis.Redis) -> None:
    apply_chunk(LEADERBOARDS, five_hundred_with_one_bad_score())
    assert LeaderboardsAppliedEvent.objects.count() == 499
    assert not LeaderboardsAppliedEvent.objects.filter(event_id=event_id(321)).exists()


def test_a_bad_score_troubles_no_other_consumer(cache: redis.Redis) -> None:
    carried = five_hundred_with_one_bad_score()
    for name in (Consumer.LOGGING, Consumer.STATS):
        outcome = apply_chunk(CONSUMERS[name], carried)
        assert (outcome.applied, outcome.dead) == (500, 0)


def test_a_redelivered_bad_event_adds_no_second_dead_letter(cache: redis.Redis) -> None:
    carried = five_hundred_with_one_bad_score()
    for sent in (carried, carried, chunk([record(321, data='{"score": "a lot"}')])):
        apply_chunk(LEADERBOARDS, sent)
    assert DeadLetter.objects.count() == 1


def test_a_client_retry_of_a_bad_event_adds_no_second_dead_letter(cache: redis.Redis) -> None:
    for offset in (0, 900):
        apply_chunk(LEADERBOARDS, chunk([record(offset, number=7, data='{"score": true}')]))
    assert DeadLetter.objects.count() == 1


def test_what_postgresql_refuses_is_found_by_halving(cache: redis.Redis) -> None:
    # Legal JSON, legal to every rule of ours, and beyond the range of `numeric`.
    records = points_of_the_cast(100)
    records[41] = record(41, data='{"score": 1, "ratio": 1e-20000}')
    outcome = apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(records))
    assert (outcome.applied, outcome.dead) == (99, 1)
    letter = DeadLetter.objects.get()
    assert (letter.consumer_service, letter.cause, letter.offset) == ("logging", "22003", 41)


def test_several_bad_events_are_each_dead_lettered(cache: redis.Redis) -> None:
    records = points_of_the_cast(64)
    bad = (0, 1, 31, 32, 63)
    for offset in bad:
        records[offset] = record(offset, data='{"ratio": 1e-20000}')
    outcome = apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(records))
    assert (outcome.applied, outcome.dead) == (59, 5)
    assert sorted(DeadLetter.objects.values_list("offset", flat=True)) == list(bad)


def test_random_bytes_become_one_dead_letter_with_the_same_bytes(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(3), refused=[refused(3, RANDOM_BYTES)])
    for name, consumer in CONSUMERS.items():
        for _ in range(2):
            apply_chunk(consumer, for_consumer(carried, name))
    letter = DeadLetter.objects.get()
    assert (letter.consumer_service, letter.cause) == ("bridge", "invalid_json")
    assert bytes(letter.raw) == RANDOM_BYTES
    assert bytes(letter.key or b"") == b"ada"
    assert letter.headers == [["event_type", "/wA="], ["empty", None]]
    assert events_of("ada") == 1


def test_only_logging_stores_a_refused_message(cache: redis.Redis) -> None:
    carried = chunk([], refused=[refused(0, RANDOM_BYTES)])
    for name in (Consumer.STATS, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[name], carried)
    assert not DeadLetter.objects.exists()


def test_a_gap_is_a_dead_letter_of_each_consumer_that_lost_it_and_of_no_other(
    cache: redis.Redis,
) -> None:
    gaps = [
        Refused(
            offset=4,
            code="retention_gap",
            pointer="",
            message=f"offsets [{first}, 5) were deleted",
            raw=b"",
            consumer=consumer,
        )
        for consumer, first in ((Consumer.LOGGING, 0), (Consumer.STATS, 2))
    ]
    carried = chunk([record(5)], first_offset=0, refused=[*gaps, refused(6, b"noise")])
    for name, consumer in CONSUMERS.items():
        for _ in range(2):
            apply_chunk(consumer, for_consumer(carried, name))
    letters = DeadLetter.objects.order_by("offset", "consumer_service")
    assert list(letters.values_list("consumer_service", "cause", "offset", "error_message")) == [
        ("logging", "retention_gap", 4, "offsets [0, 5) were deleted"),
        ("stats", "retention_gap", 4, "offsets [2, 5) were deleted"),
        ("bridge", "invalid_json", 6, "the message is no event"),
    ]
    assert bytes(letters[0].raw) == b""


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", RANDOM_BYTES, b'{"a": "\\u0000"}', b"[1e400]", b'"\\ud800"', b"[" * 100_000],
    ids=["empty", "nul", "random", "escaped nul", "number", "surrogate", "deep"],
)
def test_any_bytes_can_be_dead_lettered(raw: bytes, cache: redis.Redis) -> None:
    (carried,) = from_message(
        msgspec.json.decode(msgspec.json.encode(to_message([chunk([], refused=[refused(0, raw)])])))
    )
    outcome = apply_chunk(CONSUMERS[Consumer.LOGGING], carried)
    assert outcome.dead == 1
    assert bytes(DeadLetter.objects.get().raw) == raw


def test_a_poisoned_chunk_changes_no_total_when_it_comes_again(cache: redis.Redis) -> None:
    carried = five_hundred_with_one_bad_score()
    apply_chunk(LEADERBOARDS, carried)
    before = totals()
    assert apply_chunk(LEADERBOARDS, carried).redelivered
    assert totals() == before
