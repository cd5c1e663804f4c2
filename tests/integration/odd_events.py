"""Events with good fields and edges mixed, as text that may be bad JSON."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

GOOD_NUMBERS = (
    *("0", "-0", "1", "-1", "1.5", "1e2", "1E+2", "1e-400", "1e-16383", "1e308", "-1e308"),
    *("0." + "1234567890" * 4, "9" * 30, "9" * 31, "9" * 4_000, "-" + "9" * 29 + "." + "9" * 30),
    *("0." + "0" * 29 + "1", str(2**63), str(-(2**63) - 1), str(2**64)),
)
BAD_NUMBERS = (
    *("1e400", "1e-20000", "0e999999", "1e99999999999999999999", "01", "1.", ".5", "NaN"),
    "0." + "0" * 17_000 + "1",
)
GOOD_TEXTS = (
    *("\\ud83d\\ude00", "\\\\u0000", "\uffff", "\ufffe", "\U0010ffff", "\u202e", "e\u0301"),
    *("\u2028", "'", "%s", "{}", "$1", "\\\\", "\\/", "=cmd", "<b>", "a:b", "x" * 512),
    *("\U0001f9ff" * 256, "\u4e2d" * 341, "complete", "|", "}"),
)
BAD_TEXTS = (
    *("", " ", "\\u0000", "\\u0001", "\\ud800", "\\udc00\\ud800", "\x7f", "\x85", "\n", '"'),
    *("x" * 16_384, "\U0001f600" * 512),
)
GOOD_TIMES = (
    *("1970-01-01T00:00:00Z", "1970-01-01T00:00:00-12:00", "2024-01-15T10:00:00.999999999Z"),
    *("2024-01-15t10:00:00z", "2026-11-21T12:00:00Z", "2024-10-27T02:30:00+01:00"),
    "2024-12-30T00:00:00+14:00",
)
BAD_TIMES = (
    *("1970-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
    *("2024-02-29T23:59:60Z", "2024-01-15", "2026-11-21T12:00:00.000001Z"),
)
TYPES = (
    *("player_score", "quest_completed", "achievement_unlocked", "boss_defeated", "login"),
    ":".join(["x" * 64] * 5),
)


def mostly(good: st.SearchStrategy[str], bad: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One in sixteen is bad: an event has some twenty values, and is to be good half the time."""
    return st.integers(0, 15).flatmap(lambda n: good if n else st.sampled_from(bad))


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects as text, equal keys and all."""
    return st.lists(st.tuples(texts, inner), max_size=4).map(members)


def members(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


decimals = st.decimals(allow_nan=False, allow_infinity=False).map(str)
numbers = mostly(st.sampled_from(GOOD_NUMBERS) | st.integers().map(str) | decimals, BAD_NUMBERS)
readable = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\')
texts = mostly(
    st.sampled_from(GOOD_TEXTS) | st.text(readable, min_size=1, max_size=8), BAD_TEXTS
).map(lambda text: f'"{text}"')
times = mostly(st.sampled_from(GOOD_TIMES), BAD_TIMES).map(lambda time: f'"{time}"')
values = st.recursive(
    numbers | texts | st.sampled_from(["null", "true", "false"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]") | objects(inner)
    ),
    max_leaves=6,
)


scores = st.sampled_from(['"score"', '"reward_points"', '"points"', '"difficulty_score"'])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """An event as text: good fields and edges mixed, then perhaps damaged."""
    data = draw(st.lists(st.tuples(scores | texts, values), max_size=4).map(members))
    if draw(st.integers(0, 3)) == 0:
        deep = draw(st.integers(28, 32))
        data = data[:-1] + ("," if data != "{}" else "") + '"d":' + "[" * deep + "]" * deep + "}"
    known = st.sampled_from(['"ada"', '"bo"', '"cyd"'])
    fields = [
        ('"event_type"', draw(st.sampled_from(TYPES).map(lambda name: f'"{name}"'))),
        ('"player_id"', draw(known | texts)),
        ('"game_id"', draw(st.just('"chess"') | st.just('"zones"') | texts)),
        ('"timestamp"', draw(times)),
        ('"data"', data),
    ]
    fields += draw(
        st.lists(
            st.tuples(
                st.sampled_from(['"session_id"', '"score"', '"player_id"']),
                texts,
            ),
            max_size=2,
        )
    )
    return damaged(members(fields).encode("utf-8", "surrogatepass"), draw)


def damaged(text: bytes, draw: st.DrawFn) -> bytes:
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(text) - 1))
        to = min(len(text), at + draw(st.integers(1, 12)))
        changes: list[Callable[[], bytes]] = [
            lambda: text[:at] + bytes([draw(st.integers(0, 255))]) + text[at + 1 :],  # noqa: B023
            lambda: text[:at] + text[at:to] * 2 + text[to:],  # noqa: B023
            lambda: text[:at] + text[to:],  # noqa: B023
        ]
        text = draw(st.sampled_from(changes))() or b" "
    return text
