"""docs/inputs.md has every row of the corpus, each as it was expected."""

from __future__ import annotations

import re

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.acceptance.corpus.events import EVENTS
from tests.acceptance.corpus.messages import MESSAGES
from tests.acceptance.corpus.requests import REQUESTS
from tests.acceptance.corpus.table import NOT_HERE

ROWS = [
    re.split(r"(?<!\\) \| |^\| | \|$", line)[1:5]
    for line in (PROJECT_ROOT / "docs" / "inputs.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d", line)
]


def test_every_number_of_the_corpus_is_there_or_has_its_reason() -> None:
    reasons = {int(row) for row in NOT_HERE if row.isdigit()}
    assert {int(row[0]) for row in ROWS} | reasons == set(range(1, 85))


def test_what_was_seen_is_what_was_expected() -> None:
    assert all(row[2] == row[3] for row in ROWS)


def test_the_document_is_of_the_corpus_as_it_is_now() -> None:
    numbers = [case.row for case in (*REQUESTS, *EVENTS)] + [case.row for case in MESSAGES]
    written = sorted(int(row[0]) for row in ROWS if 8 <= int(row[0]) <= 82)
    by_hand = {12, 14, 15, 16, 18}  # on sockets
    assert [row for row in written if row not in by_hand] == sorted(
        row for row in numbers if row not in by_hand
    )
