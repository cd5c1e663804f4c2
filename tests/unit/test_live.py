"""The pure parts of live boards: what moved, how numbers read, and what a mailbox keeps."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.hints.hint import MAX_PLAYERS, Hint, PlayerTotal, decode, encode
from apps.leaderboards.rules import plain
from apps.live.hub import MAX_STREAMS
from apps.live.mailbox import Mailbox
from apps.live.movement import Line, moved
from apps.live.numbers import grouped
from gamemetrics.stack.applications import STREAM_THREADS
from tests.builders import CAST, GAME, NOW

names = st.sampled_from([*CAST, "dora", "eve"])


def lines(*players: tuple[str, int]) -> list[Line]:
    return [
        Line(rank=rank, player_id=player_id, score=Decimal(score), achieved_at=NOW)
        for rank, (player_id, score) in enumerate(players, start=1)
    ]


tops = st.lists(st.tuples(names, st.integers(0, 3)), unique_by=lambda one: one[0], max_size=5).map(
    lambda players: lines(*players)
)


@given(tops, tops)
def test_who_applies_what_moved_has_the_new_top(before: list[Line], now: list[Line]) -> None:
    changed, left = moved(before, now)
    held = {line.player_id: line for line in before if line.player_id not in left}
    held |= {one.line.player_id: one.line for one in changed}
    assert sorted(held.values(), key=lambda line: line.rank) == now


def test_a_line_tells_the_rank_that_it_had() -> None:
    changed, left = moved(lines(("ada", 3), ("bo", 2)), lines(("bo", 4), ("cyd", 3)))
    assert [(one.line.player_id, one.was) for one in changed] == [("bo", 2), ("cyd", None)]
    assert left == ["ada"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.25", "-1,234,567.25"),
        ("1E+6", "1,000,000"), ("0.00012345", "0.00012345"), ("123456.1234567", "123,456.1234567"),
        ("12345678901234567890", "12,345,678,901,234,567,890"),
    ],
)  # fmt: skip
def test_a_number_reads_in_groups_of_three(number: str, text: str) -> None:
    assert grouped(plain(Decimal(number))) == text


def total(player_id: str, version: int) -> PlayerTotal:
    return PlayerTotal(
        player_id=player_id, version=version, total_events=version, last_event_at=NOW
    )


def test_a_hint_survives_its_way() -> None:
    hint = Hint(boards=(("points", "daily"),), players=(total("ada", 1),), unnamed=3)
    assert decode(encode(hint)) == hint
    assert hint.touches("points", "daily") and not hint.touches("points", "weekly")
    assert Hint(any_board=True).touches("points", "weekly")


def test_a_mailbox_keeps_marks_however_much_comes() -> None:
    box = Mailbox(GAME, "points", "daily")
    for number in range(1_000):
        box.hear(Hint(boards=(("points", "daily"),), players=(total(f"player {number}", 1),)))
    box.hear(Hint(players=(total("player 0", 3),)))
    box.hear(Hint(players=(total("player 0", 2),)))
    mail = box.take(until=time.monotonic(), players_from=0.0)
    assert mail is not None and mail.look_after is not None
    assert (len(mail.players), mail.unnamed) == (MAX_PLAYERS, 1_000 - MAX_PLAYERS)
    assert mail.players[0].version == 3
    empty = box.take(until=time.monotonic(), players_from=0.0)
    assert empty is not None and empty.look_after is None and not empty.players


def test_a_mailbox_does_not_hear_of_other_boards() -> None:
    box = Mailbox(GAME, "points", "daily")
    box.hear(Hint(boards=(("points", "weekly"), ("rating", "daily"))))
    mail = box.take(until=time.monotonic(), players_from=0.0)
    assert mail is not None and mail.look_after is None


def test_an_ended_mailbox_holds_nobody_up() -> None:
    box = Mailbox(GAME, "points", "daily")
    box.end()
    box.rest(until=time.monotonic() + 3_600)
    assert box.take(until=time.monotonic() + 3_600, players_from=0.0) is None


def test_the_web_server_has_a_thread_for_every_stream() -> None:
    assert STREAM_THREADS == MAX_STREAMS
