"""The picture of `docs/scaling.md`: bars on a logarithmic axis of events a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

FILLS: Final = {"process": "#7ea6dd", "thread": "#8cc28c", "server": "#dda95f"}
LEFT, TOP, WIDTH, STEP = 230, 46, 640, 30
# Powers of ten at the ends of the axis.
FROM, TO = 3, 6


class Bar(NamedTuple):
    """How many events a second one of something takes; `kind` is what it is."""

    name: str
    value: float
    kind: str


def picture(bars: Sequence[Bar]) -> str:
    """An SVG document."""
    bottom = TOP + STEP * len(bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {bottom + 40}" role="img"'
        ' aria-label="How many events a second one of each part takes">',
        "<style>.t{font:600 14px system-ui,sans-serif;fill:#1b2433}"
        ".s{font:12px system-ui,sans-serif;fill:#4a5568}</style>",
        f'<rect width="1000" height="{bottom + 40}" fill="#fff"/>',
        '<text x="16" y="24" class="t">How far one of each goes, events a second</text>',
    ]
    for power in range(FROM, TO + 1):
        x = _x(10.0**power)
        lines.append(
            f'<line x1="{x:.0f}" y1="{TOP - 8}" x2="{x:.0f}" y2="{bottom}" stroke="#99a"'
            ' stroke-dasharray="3 4"/>'
            f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle" class="s">'
            f"{10**power:,}</text>"
        )
    for number, bar in enumerate(bars):
        lines += _bar(bar, TOP + STEP * number)
    return "\n".join((*lines, "</svg>\n"))


def _bar(bar: Bar, y: int) -> list[str]:
    end = _x(bar.value)
    return [
        f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end" class="s">{bar.name}</text>',
        f'<rect x="{LEFT}" y="{y + 2}" width="{end - LEFT:.0f}" height="{STEP - 10}" rx="3"'
        f' fill="{FILLS[bar.kind]}"/>',
        f'<text x="{end + 6:.0f}" y="{y + 16}" class="s">{bar.value:,.0f}</text>',
    ]


def _x(value: float) -> float:
    share = (math.log10(value) - FROM) / (TO - FROM)
    return LEFT + WIDTH * min(1.0, max(0.0, share))
