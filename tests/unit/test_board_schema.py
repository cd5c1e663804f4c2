"""What makes a board, what does not, and where in the declaration the fault is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from apps.leaderboards.board_schema import BoardInvalid, definition_of, told
from apps.leaderboards.filters import where_of, where_of_text
from tests.builders import GAME

PLAIN: dict[str, Any] = {
    "name": "points",
    "event_types": ["round"],
    "score": "/points",
    "operator": "sum",
}
_data = msgspec.json.Decoder(float_hook=Decimal)


@pytest.mark.parametrize(
    ("where", "data", "counts"),
    [
        ({"/mode": "ranked"}, '{"mode": "ranked"}', True),
        ({"/mode": "ranked"}, '{"mode": ["ranked"]}', False),
        ({"/a/b": 1}, '{"a": {"b": 1.0}}', True),
        ({"/a/1": 1}, '{"a": [0, 1]}', True),
        ({"/n": Decimal("0.1")}, '{"n": 0.1000000000000000000001}', False),
        ({"/n": Decimal("0.1")}, '{"n": 0.10}', True),
        ({"/n": 1}, '{"n": true}', False),
        ({"/n": True}, '{"n": 1}', False),
        ({"/n": 1}, '{"n": "1"}', False),
        ({"/n": {"gt": 9007199254740992}}, '{"n": 9007199254740993}', True),
        ({"/n": {"gt": 1}}, '{"n": "2"}', False),
        ({"/n": {"gt": 1}}, '{"n": true}', False),
        ({"/n": {"gte": 1, "lt": 2}}, '{"n": 1.999}', True),
        ({"/n": {"gte": 1, "lt": 2}}, '{"n": 2}', False),
        ({"/n": {"lte": 1}}, '{"n": 1e0}', True),
        ({"/n": {"lte": 1}}, "{}", False),
        ({"/n": {"ne": 1}}, "{}", True),
        ({"/n": {"ne": 1}}, '{"n": "1"}', True),
        ({"/n": {"ne": 1}}, '{"n": 1.0}', False),
        ({"/n": {"exists": False}}, '{"n": null}', True),
        ({"/n": {"exists": True}}, '{"n": {}}', True),
        ({"/n": {"in": ["a", 2, False]}}, '{"n": 2.0}', True),
        ({"/n": {"in": ["a", 2, False]}}, '{"n": 0}', False),
        ({"/n": 1, "/m": 1}, '{"n": 1}', False),
    ],
)
def test_a_filter_holds_or_not(where: dict[str, Any], data: str, counts: bool) -> None:
    found = where_of(where)
    assert found is not None
    assert found.holds(_data.decode(data)) is counts
    assert where_of_text(found.text) == found


def test_two_spellings_of_one_filter_are_the_same() -> None:
    assert where_of({"/n": Decimal("1.50"), "/a": {"eq": "x"}}) == where_of(
        {"/a": "x", "/n": {"eq": Decimal("1.5")}}
    )
    assert where_of({"/n": 1}) != where_of({"/n": True})
    assert where_of({}) is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"where": {"mode": "x"}}, "/where/mode"),
        ({"where": {"": "x"}}, "/where/"),
        ({"where": {"/a/b": {"like": "x"}}}, "/where/~1a~1b/like"),
        ({"where": {"/a": {}}}, "/where/~1a"),
        ({"where": {"/a": None}}, "/where/~1a"),
        ({"where": {"/a": {"gt": "5"}}}, "/where/~1a/gt"),
        ({"where": {"/a": {"in": []}}}, "/where/~1a/in"),
        ({"where": {"/a": {"in": [1, [2]]}}}, "/where/~1a/in/1"),
        ({"where": {"/a": {"exists": 1}}}, "/where/~1a/exists"),
        ({"where": {"/a": Decimal("1E+40")}}, "/where/~1a"),
        ({"where": []}, "/where"),
        ({"where": {f"/{n}": 1 for n in range(21)}}, "/where"),
        ({"score": ""}, "/score"),
        ({"score": "points"}, "/score"),
        ({"name": "default"}, "/name"),
        ({"timezone": "Mars"}, "/timezone"),
        ({"operator": "mean"}, "/operator"),
        ({"periods": ["season"]}, "/season"),
        ({"season": "0 4 1 * *"}, "/periods"),
        ({"season": "0 4 1 *", "periods": ["season"]}, "/season"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_the_fault_is_named_where_it_is(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BoardInvalid) as refused:
        definition_of(GAME, PLAIN | change)
    assert refused.value.pointer == pointer
    assert str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"operator": "count", "score": ""},
        {"operator": "latest", "where": {"/mode": {"ne": "bots"}}},
        {"periods": ["season", "daily"], "season": "0 4 1 * *", "timezone": "Europe/Vienna"},
    ],
)
def test_a_board_is_told_as_it_was_said(change: dict[str, Any]) -> None:
    definition = definition_of(GAME, PLAIN | change)
    assert definition_of(GAME, told(definition)) == definition
