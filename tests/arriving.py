"""Events that arrive in disorder and again, for statistics that are being built meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.stats.selectors import of_player
from tests.arrivals import elsewhere
from tests.builders import CAST, TOPIC_ID, chunk, record
from tests.totals import CONSUMERS

GAMES = ("chess", "go")
BEGIN = datetime(2024, 2, 28, 21, tzinfo=UTC)
# Ties, decimals beyond a double, and much that is no number, under odd names.
DATA = (
    *('{"v": 0}', '{"v": -1.50}', '{"v": 9007199254740993.1}', '{"v": 1e29}', '{"v": -7}'),
    *('{"v": 1e30}', '{"v": 1e-31}', '{"v": 1e-30}', '{"v": "7"}', '{"v": true}', '{"v": null}'),
    *('{"v": {"v": 1}}', "{}", '{"v": 3, "v": 2.50}', '{"n": [1, 2.5, 3]}', '{"n": {"1": 4}}'),
    *('{"n": {"01": 5, "-1": 6}}', '{"n": []}', '{"a/b": {"": 0.125}}', '{"a/b": [8]}'),
)


@dataclass(kw_only=True)
class Stream:
    """Chunks of events with repeats, in disorder; `due` are those that logging has not yet."""

    chance: random.Random
    offset: int = 0
    due: list[list[Record]] = field(default_factory=list)

    def apply(self, *, logged: bool = True) -> None:
        """A chunk; without `logged` the log is behind for a while."""
        records = [self._event() for _ in range(self.chance.randrange(1, 12))]
        self.due.append(records)
        if logged:
            self.log()
        apply_chunk(CONSUMERS[Consumer.STATS], chunk(records))
        # Somebody reads now and then, so that there are copies to be kept up.
        of_player(self.chance.choice(CAST), self.chance.choice(GAMES))

    def log(self) -> None:
        for records in self.due:
            apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(records))
        self.due = []
        ConsumerPosition.objects.update_or_create(
            consumer=Consumer.LOGGING.value,
            topic_id=TOPIC_ID,
            partition=0,
            defaults={"next_offset": self.offset + 1},
        )

    def _event(self) -> Record:
        self.offset += 1
        # Few numbers: some come again, as they were.
        number = self.chance.randrange(80)
        fixed = random.Random(number)
        made = record(
            self.offset,
            number=number,
            player_id=fixed.choice(CAST),
            game_id=fixed.choice(GAMES),
            event_type=fixed.choice(("login", "player_score", "logout")),
            at=BEGIN + timedelta(hours=6 * fixed.randrange(10)),
            data=fixed.choice(DATA),
        )
        return msgspec.structs.replace(made, session_id=fixed.choice((None, "s1", "s2", "s3")))


@dataclass(kw_only=True)
class Meanwhile:
    """Shows nothing; lets events arrive, by another connection, at each step of the rebuild."""

    stream: Stream
    steps: list[str] = field(default_factory=list)

    def begin(self, title: str, total: int) -> None:
        self.steps.append(title)
        if title == "the log":
            self._elsewhere(lambda: self.stream.apply(logged=False))

    def advance(self, items: int) -> None:
        if self.steps[-1] == "the log":
            self._elsewhere(self.stream.apply)

    def end(self) -> None:
        self._elsewhere(self.stream.apply)

    def _elsewhere(self, work: Any) -> None:
        elsewhere(work, seconds=60)
