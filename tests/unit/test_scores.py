"""Where an event's score is, and what is no score."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from apps.contract.pointers import resolve
from apps.leaderboards.folding import Deltas, scores
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Operator, Scoring, default_definition, score_of
from apps.ledger.failures import EventRefused
from tests.builders import GAME, NOW, board, event_id

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/score", 1),
        ("/a~1b", 2),
        ("/m~0n", 3),
        ("/~01", 4),
        ("/", 5),
        ("/list/1", 7),
        ("/list/9", None),
        ("/list/-", None),
        ("/list/01", None),
        ("/deep/er/score", 8),
        ("/score/deeper", None),
        ("/absent", None),
    ],
)
def test_a_pointer_finds_what_rfc_6901_says(pointer: str, found: Any) -> None:
    document = _decode(
        b'{"score": 1, "a/b": 2, "m~n": 3, "~1": 4, "": 5, "list": [6, 7],'
        b' "deep": {"er": {"score": 8}}}'
    )
    assert resolve(pointer, document) == found


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("12", "12"),
        ("-0", "0"),
        ("1e2", "100"),
        ("0.1", "0.1"),
        ("1.50", "1.5"),
        ("9" * 30, "9" * 30),
        ("0." + "0" * 29 + "1", "1e-30"),
        ("18446744073709551616", "18446744073709551616"),
        ("123456789012345678901234567890.123456789012345678901234567891",) * 2,
    ],
)
def test_a_score_keeps_every_digit(text: str, score: str) -> None:
    data = _decode(f'{{"score": {text}}}')
    assert score_of(Scoring(pointer="/score"), data) == Decimal(score)


@pytest.mark.parametrize("text", ["true", "false", '"10"', "[1]", "{}"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(EventRefused) as refused:
        score_of(Scoring(pointer="/score"), _decode(f'{{"score": {text}}}'))
    assert refused.value.code == "score_invalid"


@pytest.mark.parametrize("text", ["1" + "0" * 30, "1e30", "1e-31", "1e400", "-1e300", "1e-400"])
def test_too_many_digits_are_refused(text: str) -> None:
    with pytest.raises(EventRefused) as refused:
        score_of(Scoring(pointer="/score"), _decode(f'{{"score": {text}}}'))
    assert refused.value.code == "score_range"


@pytest.mark.parametrize("text", ["{}", '{"score": null}', '{"other": 1}'])
def test_an_absent_score_ranks_nobody(text: str) -> None:
    assert score_of(Scoring(pointer="/score"), _decode(text)) is None


@pytest.mark.parametrize(
    ("event_type", "data", "score"),
    [
        ("player_score", '{"score": 7}', 7),
        ("player_score", "{}", None),
        ("quest_completed", "{}", 10),
        ("quest_completed", '{"reward_points": 3}', 3),
        ("achievement_unlocked", "{}", 5),
        ("boss_defeated", '{"difficulty_score": null}', 50),
        ("login", '{"score": 7}', None),
    ],
)
def test_the_default_board_counts_the_default_scores(
    event_type: str, data: str, score: int | None
) -> None:
    found = scores([default_definition(GAME)], event_type, "ada", NOW, data, event_id(1))
    assert [scored.score for scored in found] == ([] if score is None else [Decimal(score)])


def test_a_score_counts_in_every_period_of_its_board() -> None:
    definition = board(periods=(Period.ALLTIME, Period.WEEKLY))
    deltas = Deltas()
    for scored in scores([definition], "player_score", "ada", NOW, '{"score": 2}', event_id(1)) * 2:
        deltas.add(scored)
    rows = deltas.rows(Operator.SUM)
    assert [(delta["player_id"], delta["score"]) for delta in rows.deltas] == [("ada", Decimal(4))]
    assert [(scope["period"], scope["descending"]) for scope in rows.scopes] == [
        (Period.ALLTIME, True),
        (Period.WEEKLY, True),
    ]
    assert deltas.rows(Operator.BEST).deltas == []
