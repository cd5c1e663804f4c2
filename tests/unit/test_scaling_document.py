"""docs/scaling.md says what its own parameters come to."""

from __future__ import annotations

import pytest

from tests.bench.scaling import DOCUMENT, PICTURE, reach, written
from tests.bench.scaling_model import PARTS, Model, Parameter, costs_of, model_of_file
from tests.bench.scaling_picture import picture


def dear(us: float) -> Model:
    """Every part takes so many microseconds of CPU an event."""
    return Model(
        costs={part: Parameter(us, "us/event", part, "") for part in PARTS},
        sizes=model_of_file().sizes,
    )


def test_the_tables_and_the_picture_are_those_of_the_parameters() -> None:
    text = DOCUMENT.read_text()
    assert written(text, model_of_file()) == text, "run: python -m tests.bench.scaling"
    assert picture(reach(model_of_file())) == PICTURE.read_text()


def test_a_process_more_is_needed_where_the_rate_passes_what_one_may_be_busy_for() -> None:
    model = dear(6)  # microseconds: 100,000 events are 0.6 s, all that a process may work in one
    assert model.processes("bridge", 100_000) == 1
    assert model.processes("bridge", 100_001) == 2
    assert model.most("bridge") == 100_000


def test_a_table_that_the_document_lacks_is_not_added_at_its_end() -> None:
    with pytest.raises(ValueError, match="computed: memory"):
        written(DOCUMENT.read_text().replace("computed: memory", "forgotten"), model_of_file())


def test_every_worker_of_the_slowest_queue_has_a_partition() -> None:
    for rate in (1_000, 50_000, 1_000_000):
        assert dear(30).partitions(rate) >= dear(30).workers(rate)


def test_a_row_of_the_benchmark_gives_the_costs() -> None:
    cpu = {part: float(number) for number, part in enumerate(PARTS)}
    rate = {"row": "rate", "cpu": cpu, "wal": 2_000}
    result = {"commit": "abc", "rows": [{"row": "drain", "cpu": {}}, rate]}
    costs = costs_of(result, "rate")
    assert {part: costs[part]["us"] for part in PARTS} == cpu
    assert costs["wal"]["bytes"] == 2_000
    assert costs["bridge"]["from"] == "`make bench`, rate, abc"
