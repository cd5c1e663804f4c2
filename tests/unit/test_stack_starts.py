"""Which programs `up` takes for failing."""

from gamemetrics.stack.supervision import ProcessState, Starts


def seen(state: str, started: int) -> dict[str, ProcessState]:
    return {
        "web": ProcessState(name="web", state=state, pid=0, started=started, seconds=0),
    }


def test_a_program_that_starts_slowly_is_not_failing() -> None:
    starts = Starts()
    assert [starts.failing(seen("STARTING", 100)) for _ in range(50)] == [[]] * 50


def test_a_program_killed_once_is_not_failing() -> None:
    starts = Starts()
    starts.failing(seen("RUNNING", 100))
    assert starts.failing(seen("STARTING", 105)) == []


def test_a_program_that_dies_at_each_start_is_failing() -> None:
    starts = Starts()
    starts.failing(seen("STARTING", 100))
    starts.failing(seen("BACKOFF", 100))
    starts.failing(seen("RUNNING", 102))
    assert starts.failing(seen("STARTING", 106)) == ["web"]


def test_a_program_that_was_given_up_is_failing() -> None:
    assert Starts().failing(seen("FATAL", 100)) == ["web"]
