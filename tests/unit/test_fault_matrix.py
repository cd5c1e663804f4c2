"""The fault matrix: every row of it is there, and the page shows it as it is."""

from __future__ import annotations

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.faults.matrix import ROWS
from tests.faults.report import matrix, table
from tests.faults.seed_run import Outcome
from tests.faults.test_matrix import TELLING


def test_all_thirty_rows_are_there_and_what_goes_beyond_them() -> None:
    assert list(ROWS) == [*(str(number) for number in range(1, 31)), "all", "same"]


def test_the_page_shows_the_matrix_as_it_is() -> None:
    page = (PROJECT_ROOT / "docs" / "faults.md").read_text()
    assert matrix(ROWS.values()) in page, "python -m tests.faults --matrix prints the table"


def test_ten_rows_run_with_the_other_tests() -> None:
    assert len(set(TELLING)) == 10
    assert set(TELLING) <= set(ROWS)
    assert not [number for number in TELLING if ROWS[number].needs.mounts]


def test_a_failed_seed_fails_its_row_and_is_named() -> None:
    good = Outcome(row="20", seed=1, events=100, recovery=2.5)
    bad = Outcome(row="20", seed=2, events=100, lost=3, recovery=1.0, problems=["lost: 3"])
    shown = table([good, bad], ROWS, {"27": "mounting a tmpfs needs root"})
    found = {line.split()[0]: line for line in shown.splitlines()}
    assert found["20"].endswith("FAILED: seed 2")
    assert found["20"].split()[-10:-3] == ["2", "200", "0", "3", "0", "1.8", "2.5"]
    assert found["27"].endswith("not staged: mounting a tmpfs needs root")
