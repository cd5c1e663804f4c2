"""Every read of random boards, from Redis and from PostgreSQL, as the oracle's windows say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.leaderboards import rank_build, rank_reads, row_reads
from apps.leaderboards.cursors import Seek, Side
from apps.leaderboards.models import Entry
from apps.leaderboards.ranks import RankMode, percentile
from apps.leaderboards.rules import Order
from apps.leaderboards.windows import Line, Window
from tests.builders import minutes
from tests.standings import SCOPE, Stand, expected_lines, fill, oracle

pytestmark = pytest.mark.django_db
# Boards a test; BOARD_EXAMPLES=2500 makes 10,000 in all.
EXAMPLES = int(os.environ.get("BOARD_EXAMPLES", "60"))
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Doubles hold 9007199254740992 and its neighbours apart no more; -0 and 0.0 are one score.
tied = st.sampled_from(["0", "-0", "0.0", "1", "1.50", "1.5", "-1"]).map(Decimal)
close = st.integers(-3, 3).map(lambda step: Decimal(2**53 + step)) | st.integers(-3, 3).map(
    lambda step: Decimal("0.1") + Decimal(step).scaleb(-20)
)
wide = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**29), max_value=10**29, places=30
)
players = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6
) | st.sampled_from(["ada", "bo", "cyd", "ada ", "1", "ä", "é", "日本", "😀", "m000"])
entries = st.dictionaries(
    players, st.tuples(tied | close | wide, st.integers(0, 2).map(minutes)), max_size=25
)
Board = dict[str, tuple[Decimal, datetime]]
orders = st.sampled_from(Order)
modes = st.sampled_from(RankMode)
SOURCES = (rank_reads, row_reads)


def given_board(cache: redis.Redis, found: Board, order: Order) -> list[Stand]:
    """The board alone in PostgreSQL and, complete, in Redis."""
    Entry.objects.all().delete()
    cache.flushdb()
    fill([(player_id, *rest) for player_id, rest in found.items()], order)
    assert rank_build.rebuild(SCOPE)
    return oracle(order)


def told(
    lines: Sequence[Line], ranks: Sequence[int], order: Order
) -> list[tuple[int, str, Decimal, datetime]]:
    return [
        (
            rank,
            line.player_id,
            line.rank_key.copy_negate() if order is Order.DESC else line.rank_key,
            line.achieved_at,
        )
        for rank, line in zip(ranks, lines, strict=True)
    ]


def of_window(window: Window, mode: RankMode, order: Order) -> object:
    return window.total, told(window.lines, window.ranks(mode), order)


@few
@given(found=entries, order=orders, mode=modes, limit=st.integers(1, 30))
def test_the_top_is_the_oracles(
    cache: redis.Redis, found: Board, order: Order, mode: RankMode, limit: int
) -> None:
    stands = given_board(cache, found, order)
    expected = (len(stands), expected_lines(stands[:limit], mode))
    for source in SOURCES:
        assert of_window(source.page(SCOPE, mode, limit, None), mode, order) == expected


@few
@given(
    found=entries,
    order=orders,
    mode=modes,
    limit=st.integers(1, 10),
    side=st.sampled_from(Side),
    place=st.tuples(tied | close | wide, st.integers(0, 2).map(minutes), players),
    data=st.data(),
)
def test_a_page_at_any_place_is_the_oracles(
    cache: redis.Redis,
    found: Board,
    order: Order,
    mode: RankMode,
    limit: int,
    side: Side,
    place: tuple[Decimal, datetime, str],
    data: st.DataObject,
) -> None:
    stands = given_board(cache, found, order)
    # Of somebody who is there, or of nobody.
    at = data.draw(st.sampled_from([place, *((*rest, name) for name, rest in found.items())]))
    score, moment, name = at
    rank_key = score.copy_negate() if order is Order.DESC else score
    seek = Seek(side=side, rank_key=rank_key, achieved_at=moment, player_id=name)

    def key(stand: Stand) -> tuple[Decimal, datetime, bytes]:
        first = stand.score.copy_negate() if order is Order.DESC else stand.score
        return first, stand.achieved_at, stand.player_id.encode()

    here = (rank_key, moment, name.encode())
    passing = {
        Side.AFTER: [s for s in stands if key(s) > here][:limit],
        Side.FROM: [s for s in stands if key(s) >= here][:limit],
        Side.BEFORE: [s for s in stands if key(s) < here][-limit:],
        Side.UPTO: [s for s in stands if key(s) <= here][-limit:],
    }[side]
    windows = [source.page(SCOPE, mode, limit, seek) for source in SOURCES]
    for window in windows:
        assert of_window(window, mode, order) == (len(stands), expected_lines(passing, mode))
    assert windows[0] == windows[1]


@few
@given(found=entries.filter(bool), order=orders, mode=modes, each=st.integers(0, 6))
def test_everybodys_surroundings_are_the_oracles(
    cache: redis.Redis, found: Board, order: Order, mode: RankMode, each: int
) -> None:
    stands = given_board(cache, found, order)
    for index, stand in enumerate(stands):
        width = min(2 * each + 1, len(stands))
        first = min(max(index - each, 0), len(stands) - width)
        expected = (len(stands), expected_lines(stands[first : first + width], mode))
        for source in SOURCES:
            window = source.around(SCOPE, mode, stand.player_id, each)
            assert window is not None
            assert of_window(window, mode, order) == expected
            rank = window.ranks(RankMode.COMPETITION)[index - first]
            assert percentile(rank, window.total) == stand.percentile
    assert [source.around(SCOPE, mode, "nobody here", each) for source in SOURCES] == [None, None]


@few
@given(found=entries, order=orders, mode=modes, wanted=st.lists(players, max_size=8, unique=True))
def test_a_lookup_is_the_oracles(
    cache: redis.Redis, found: Board, order: Order, mode: RankMode, wanted: list[str]
) -> None:
    stands = given_board(cache, found, order)
    asked = list(dict.fromkeys([*wanted, *list(found)[::2]]))
    expected = [stand for stand in stands if stand.player_id in asked]
    for source in SOURCES:
        answer = source.lookup(SCOPE, mode, asked)
        ranks, lines = [rank for rank, _ in answer.lines], [line for _, line in answer.lines]
        assert (answer.total, told(lines, ranks, order)) == (
            len(stands),
            expected_lines(expected, mode),
        )
