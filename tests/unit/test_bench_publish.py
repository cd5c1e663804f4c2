"""Figures on the page: each run in its own place, and only whole runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.catalogue import long_rows
from tests.bench.figures import Figures
from tests.bench.publish import PAGE, RUNS, NotPublished, publish
from tests.bench.report import as_json
from tests.bench.sizes import FULL

PLACES = "".join(
    f"<!-- figures: {name} -->\nold {name}\n<!-- /figures: {name} -->\n" for name in RUNS
)


def kept(rows: list[str], size: str = "full") -> dict[str, Any]:
    return {
        "commit": "abc1234",
        "began_at": "2026-11-29T00:00:00+00:00",
        "size": size,
        "machine": {"cores": 2, "processor": "a CPU", "memory_gib": 23.5},
        "versions": {"postgresql": "15", "kafka": "4", "redis": "6", "python": "3.11.2"},
        "rows": [as_json(Figures(row=row, kind="growth")) for row in rows],
    }


def growth() -> list[str]:
    return [row.name for row in long_rows(FULL, growing=True, soaking=False)]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{PLACES}after\n")
    return page


def put(directory: Path, name: str, run: dict[str, Any]) -> None:
    (directory / f"{name}.json").write_text(json.dumps(run))


def test_a_run_that_is_not_there_keeps_the_figures_it_has(tmp_path: Path, page: Path) -> None:
    put(tmp_path, "bench-growth", kept(growth()))
    assert publish(tmp_path, page, tmp_path) == [page]
    text = page.read_text()
    assert "Growth: commit `abc1234`" in text
    assert all(f"| {row} |" in text for row in growth())
    assert "old bench\n" in text
    assert "old bench-soak" in text
    assert "old bench-growth" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    publish(tmp_path, page, tmp_path)
    assert page.read_text() == text


@pytest.mark.parametrize(
    ("name", "run", "lacks"),
    [
        ("bench-growth", kept(growth()[:-1]), growth()[-1]),
        ("bench", kept(["drain"]), "strict"),
        ("bench-soak", kept(["soak"], size="quick"), "soak"),
    ],
)
def test_a_run_without_all_rows_changes_nothing(
    tmp_path: Path, page: Path, name: str, run: dict[str, Any], lacks: str
) -> None:
    put(tmp_path, "bench-growth", kept(growth()))
    put(tmp_path, name, run)
    before = page.read_text()
    with pytest.raises(NotPublished, match=rf"{name}\.json is not a whole run.*{lacks}"):
        publish(tmp_path, page, tmp_path)
    assert page.read_text() == before


def test_nothing_to_publish_and_no_place_for_it_are_told(tmp_path: Path, page: Path) -> None:
    with pytest.raises(NotPublished, match="no run in"):
        publish(tmp_path, page, tmp_path)
    page.write_text("no marks")
    put(tmp_path, "bench-growth", kept(growth()))
    with pytest.raises(NotPublished, match="figures: bench-growth"):
        publish(tmp_path, page, tmp_path)


def test_the_page_has_a_place_for_each_run() -> None:
    text = PAGE.read_text()
    for name in RUNS:
        assert (
            text.count(f"<!-- figures: {name} -->") == text.count(f"<!-- /figures: {name} -->") == 1
        )
