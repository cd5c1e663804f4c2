"""Plain SVG, readable on light and on dark pages: what the plots are drawn with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

# Of a page in the reader's own scheme: an <img> takes it from there.
STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 14px; font-weight: 600; }
.soft { fill: #59636e; }
.page { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.axis { stroke: #59636e; stroke-width: 1; }
.aim { stroke: #59636e; stroke-width: 1; stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; }
.hollow { fill: #ffffff; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .soft { fill: #9198a1; }
  .page { fill: #0d1117; }
  .grid { stroke: #30363d; }
  .axis, .aim { stroke: #9198a1; }
  .hollow { fill: #0d1117; }
}
"""


@dataclass(kw_only=True)
class Drawing:
    """Elements in user units, which are pixels at full size."""

    width: int
    height: int
    title: str
    _elements: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, what: str, *, anchor: str = "start", kind: str = "") -> None:
        name = f' class="{kind}"' if kind else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{name}>{escape(what)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._elements.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
        )

    def curve(self, points: Iterable[tuple[float, float]], colour: str) -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._elements.append(f'<polyline points="{places}" class="line" stroke="{colour}"/>')

    def dot(self, x: float, y: float, colour: str, *, hollow: bool, told: str) -> None:
        look = f'class="hollow" stroke="{colour}"' if hollow else f'fill="{colour}"'
        self._elements.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {look}><title>{escape(told)}</title></circle>'
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str, told: str) -> None:
        self._elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"'
            f' fill="{colour}"><title>{escape(told)}</title></rect>'
        )

    def legend(self, x: float, y: float, names: Sequence[tuple[str, str]], step: float) -> None:
        """(name, colour) from left to right, `step` apart."""
        for place, (name, colour) in enumerate(names):
            left = x + place * step
            self.bar(left, y - 9, 10, 10, colour, name)
            self.text(left + 15, y, name, kind="soft")

    def whole(self) -> str:
        """The file's text."""
        body = "\n".join(self._elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' width="{self.width}" height="{self.height}" role="img"'
            f' aria-label="{escape(self.title)}">\n<style>{STYLE}</style>\n'
            f'<rect width="{self.width}" height="{self.height}" class="page"/>\n{body}\n</svg>\n'
        )
