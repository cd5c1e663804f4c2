"""A cursor says what it was made of; whatever else is sent in its place is refused by name."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.leaderboards.cursors import (
    MAX_LENGTH,
    CursorExpired,
    CursorInvalid,
    Seek,
    Side,
    Walk,
)
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rules import Order
from tests.builders import NOW, board

DAY = timedelta(days=1)
WALK = Walk(definition=board(), period=Period.DAILY, period_start=NOW - NOW.hour * DAY / 24)
HERE = Seek(side=Side.AFTER, rank_key=Decimal("-10.5"), achieved_at=NOW, player_id="ada")
numbers = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**39), max_value=10**39, places=30
)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=512)
seeks = st.builds(
    Seek,
    side=st.sampled_from(Side),
    rank_key=numbers | st.sampled_from([Decimal("-1E+22"), Decimal("-0"), Decimal("1.500")]),
    achieved_at=st.datetimes(min_value=EPOCH.replace(tzinfo=None), timezones=st.just(UTC)),
    player_id=names,
)


@given(seeks)
def test_a_cursor_says_what_it_was_made_of(seek: Seek) -> None:
    cursor = WALK.cursor(seek)
    assert len(cursor) <= MAX_LENGTH
    assert WALK.seek(cursor, asked_for_now=True) == seek


def test_equal_numbers_make_one_cursor() -> None:
    assert len({WALK.cursor(replace(HERE, rank_key=Decimal(n))) for n in ("1", "1.0", "1E0")}) == 1


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode()))
def test_whatever_is_no_cursor_is_invalid(text: str) -> None:
    with pytest.raises(CursorInvalid):
        WALK.seek(text, asked_for_now=True)


@given(st.data())
def test_an_altered_cursor_is_invalid(data: st.DataObject) -> None:
    cursor = WALK.cursor(HERE)
    at = data.draw(st.integers(0, len(cursor) - 1))
    altered = cursor[:at] + data.draw(st.sampled_from("AZaz09-_")) + cursor[at + 1 :]
    cut = cursor[:at]
    # The last letter has bits that say nothing.
    assume(base64.urlsafe_b64decode(altered + "==") != base64.urlsafe_b64decode(cursor + "=="))
    for text in (altered, cut):
        with pytest.raises(CursorInvalid):
            WALK.seek(text, asked_for_now=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (5, "1E+999999999"),
        (5, "NaN"),
        (5, "1" * 2_000),
        (5, "\u0661"),
        (6, -1),
        (6, 10**18),
        (6, 2**63 - 1),
        (7, "a\x00b"),
        (4, "><"),
        (2, "yearly"),
    ],
)
def test_a_crafted_cursor_is_invalid(field: int, value: object) -> None:
    text = WALK.cursor(HERE)
    fields = msgspec.msgpack.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-4])
    fields[field] = value
    packed = msgspec.msgpack.encode(fields)
    checked = packed + zlib.crc32(packed).to_bytes(4, "big")
    with pytest.raises(CursorInvalid):
        WALK.seek(base64.urlsafe_b64encode(checked).rstrip(b"=").decode(), asked_for_now=True)


@pytest.mark.parametrize(
    "other",
    [
        replace(WALK, definition=board("other")),
        replace(WALK, definition=board(game_id="go")),
        replace(WALK, period=Period.WEEKLY),
        replace(WALK, period_start=WALK.period_start - DAY),
    ],
)
@pytest.mark.parametrize("asked_for_now", [True, False])
def test_a_foreign_cursor_is_invalid(other: Walk, asked_for_now: bool) -> None:
    with pytest.raises(CursorInvalid):
        other.seek(WALK.cursor(HERE), asked_for_now=asked_for_now)


def test_a_cursor_expires_with_its_period() -> None:
    tomorrow = replace(WALK, period_start=WALK.period_start + DAY)
    with pytest.raises(CursorExpired):
        tomorrow.seek(WALK.cursor(HERE), asked_for_now=True)
    # Who asks for another period by name has not waited too long: it is the wrong cursor.
    with pytest.raises(CursorInvalid):
        tomorrow.seek(WALK.cursor(HERE), asked_for_now=False)


def test_a_cursor_expires_when_its_board_is_defined_anew() -> None:
    turned = replace(WALK, definition=board(order=Order.ASC))
    with pytest.raises(CursorExpired):
        turned.seek(WALK.cursor(HERE), asked_for_now=True)
