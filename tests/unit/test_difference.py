"""Two texts beside each other."""

from __future__ import annotations

from apps.deadletters.difference import MOST_LINES, Line, beside


def test_changed_lines_lie_opposite_each_other() -> None:
    assert list(beside("a\nb\nc", "a\nB\nc")) == [
        Line(left="a", right="a", changed=False),
        Line(left="b", right="B", changed=True),
        Line(left="c", right="c", changed=False),
    ]


def test_a_line_without_a_partner_has_an_empty_side() -> None:
    assert list(beside("a", "a\nb")) == [
        Line(left="a", right="a", changed=False),
        Line(left=None, right="b", changed=True),
    ]


def test_a_long_text_is_shown_in_part() -> None:
    text = "\n".join(map(str, range(MOST_LINES + 5)))
    assert len(list(beside(text, text))) == MOST_LINES
