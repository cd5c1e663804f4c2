"""What a failed check tells."""

from __future__ import annotations

from decimal import Decimal

from apps.demo import differences


def test_equal_values_tell_nothing() -> None:
    assert differences.of_values("events", 3, 3) == []
    assert differences.of_mappings("score", {"ada": Decimal("1.50")}, {"ada": Decimal("1.5")}) == []
    assert differences.of_sequences("board", ["ada"], ["ada"]) == []


def test_a_wrong_value_is_told_with_both() -> None:
    assert differences.of_values("events", 70288, 70287) == [
        "events: expected 70,288, found 70,287"
    ]


def test_missing_and_foreign_keys_are_told() -> None:
    assert differences.of_mappings("type", {"a": 1, "b": 2}, {"b": 2, "c": 3}) == [
        "type of a: expected 1, found nothing",
        "type of c: expected nothing, found 3",
    ]


def test_the_first_differences_are_told_and_the_rest_is_counted() -> None:
    lines = differences.of_mappings("type", dict.fromkeys(map(str, range(9)), 1), {})
    assert len(lines) == 6
    assert lines[-1] == "type: 4 more differences"


def test_a_swap_of_places_is_told_at_its_place() -> None:
    assert differences.of_sequences("board", [("ada", 1), ("bo", 1)], [("bo", 1), ("ada", 1)]) == [
        "board, place 1: expected (ada, 1), found (bo, 1)",
        "board, place 2: expected (bo, 1), found (ada, 1)",
    ]


def test_a_board_that_is_too_short_is_told() -> None:
    assert differences.of_sequences("board", ["ada", "bo"], ["ada"]) == [
        "board, length: expected 2, found 1"
    ]
