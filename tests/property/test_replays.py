"""However replays, redeliveries, edits, discards and crashes fall, an event counts at most once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.contract.queues import Consumer
from apps.deadletters import actions
from apps.deadletters.actions import ActionRefused
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.failpoints import points
from apps.failpoints.points import Failpoint, FailpointFired
from apps.leaderboards.models import Entry, LeaderboardsAppliedEvent
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.ledger.models import AppliedChunk
from apps.ledger.replays import replay_letter
from apps.ledger.services import apply_chunk
from tests.builders import GAME, chunk, event_id, event_text, record
from tests.totals import CONSUMERS, score_of, shown

pytestmark = pytest.mark.django_db
LEADERBOARDS = CONSUMERS[Consumer.LEADERBOARDS]
BOARD = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)
EVENTS = 3
DEEDS = (
    *("replay", "replay", "work", "work", "die applied", "die committed"),
    *("edit", "edit badly", "discard", "reopen", "client's retry", "mended by the client"),
)
steps = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, EVENTS - 1)), max_size=40)


@pytest.fixture
def failpoints(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "failpoints.json"
    points.arm(str(path))
    yield path
    points.arm(None)


class World:
    """Three bad scores of ada, worth one point each once they are mended."""

    def __init__(self, failpoints: Path) -> None:
        self.failpoints = failpoints
        for model in (DeadLetterAction, DeadLetter, AppliedChunk, Entry, LeaderboardsAppliedEvent):
            model.objects.all().delete()
        bad = [record(number, data='{"score": "many"}') for number in range(EVENTS)]
        apply_chunk(LEADERBOARDS, chunk(bad))
        self.offset = EVENTS
        self.letters = {letter.offset: letter.pk for letter in DeadLetter.objects.all()}

    def do(self, deed: str, number: int) -> None:
        letter = self.letters[number]
        try:
            if deed == "replay":
                actions.replay([letter], by="bo")
            elif deed == "work":
                replay_letter(LEADERBOARDS, letter)
            elif deed == "die applied":
                self.die(Failpoint.REPLAY_APPLIED, letter)
            elif deed == "die committed":
                self.die(Failpoint.REPLAY_COMMITTED, letter)
            elif deed == "edit":
                self.edit(number, "1")
            elif deed == "edit badly":
                self.edit(number, '"x"')
            elif deed == "discard":
                actions.discard([letter], by="bo", reason="old")
            elif deed == "reopen":
                actions.reopen(letter, by="bo")
            else:
                self.sent_again(number, "1" if deed == "mended by the client" else '"many"')
        except ActionRefused:
            from_state = DeadLetter.State.DISCARDED if deed == "reopen" else DeadLetter.State.OPEN
            assert DeadLetter.objects.get(pk=letter).state != from_state

    def die(self, point: Failpoint, letter: int) -> None:
        self.failpoints.write_text(f'{{"{point}": {{"action": "raise"}}}}')
        try:
            replay_letter(LEADERBOARDS, letter)
        except FailpointFired:
            pass
        finally:
            self.failpoints.unlink()

    def edit(self, number: int, score: str) -> None:
        text = event_text(event_id=event_id(number), data={"score": 0})
        raw = text.replace(b'"score": 0', f'"score": {score}'.encode())
        actions.edit(self.letters[number], raw, by="bo")

    def sent_again(self, number: int, score: str) -> None:
        again = record(self.offset, number=number, data=f'{{"score": {score}}}')
        apply_chunk(LEADERBOARDS, chunk([again]))
        self.offset += 1

    def settle(self) -> None:
        for letter in DeadLetter.objects.filter(state="replaying"):
            replay_letter(LEADERBOARDS, letter.pk)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_each_event_counts_at_most_once_and_is_applied_or_kept(
    cache: redis.Redis, failpoints: Path, steps: list[tuple[str, int]]
) -> None:
    cache.flushdb()
    world = World(failpoints)
    for deed, number in steps:
        world.do(deed, number)
    world.settle()
    applied = LeaderboardsAppliedEvent.objects.count()
    standing = score_of("ada")
    assert (standing[0] if standing else Decimal(0)) == applied
    assert DeadLetter.objects.count() == EVENTS
    for letter in DeadLetter.objects.all():
        assert letter.event_id is not None
        claimed = LeaderboardsAppliedEvent.objects.filter(event_id=letter.event_id).exists()
        assert claimed or letter.state in ("open", "discarded")
        effects = DeadLetterAction.objects.filter(letter=letter, action="applied")
        assert effects.count() == (letter.state == "applied")
    assert shown(BOARD, 5) == ([("ada", Decimal(applied))] if applied else [])
