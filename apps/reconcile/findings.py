"""What a reconcile run finds: values, no clock, no database."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from apps.contract.chunk import Record


class Part(StrEnum):
    """What is compared, in the order in which it is mended: each rests on those before it."""

    KAFKA = "kafka"  # what Kafka retains, with the log and the dead letters
    LOG = "log"  # the log and the dead letters, with the ledgers
    STATISTICS = "statistics"  # player_statistics, with what the log adds up to
    BOARDS = "boards"  # leaderboards, with what the log adds up to
    REDIS = "redis"  # the copies in Redis, with their rows


class Kind(StrEnum):
    """In which way something differs."""

    NOT_IN_LOG = "not_in_log"
    LOG_ROW_DIFFERS = "log_row_differs"
    LETTER_MISSING = "letter_missing"
    LETTER_DIFFERS = "letter_differs"
    APPLIED_UNKNOWN = "applied_unknown"  # a ledger has an id that nothing else knows
    NOT_APPLIED = "not_applied"
    APPLIED_AND_OPEN = "applied_and_open"  # the ledger and an open dead letter contradict
    STATISTICS_DIFFER = "statistics_differ"
    AGGREGATE_DIFFERS = "aggregate_differs"
    GAME_TOTALS_DIFFER = "game_totals_differ"
    ENTRY_DIFFERS = "entry_differs"
    COPY_DIFFERS = "copy_differs"


class Finding(msgspec.Struct, kw_only=True, frozen=True):
    """One difference that is not merely on its way."""

    part: Part
    kind: Kind
    where: str  # coordinates, a player, a board's period: where to look
    expected: str
    found: str
    remedy: str
    consumer: str = ""
    event_id: str | None = None
    repaired: bool = False

    def line(self) -> str:
        """For a reader: one line."""
        named = f" event {self.event_id}" if self.event_id else ""
        who = f" {self.consumer}:" if self.consumer else ""
        end = "repaired" if self.repaired else f"remedy: {self.remedy}"
        return (
            f"{self.kind}:{who}{named} at {self.where}: expected {self.expected},"
            f" found {self.found}; {end}"
        )


class Scope(msgspec.Struct, kw_only=True, frozen=True):
    """Whose events are compared. `since` is a time of acceptance."""

    game_id: str | None = None
    player_id: str | None = None
    since: datetime | None = None

    @property
    def everything(self) -> bool:
        return self.game_id is None and self.player_id is None and self.since is None

    @property
    def every_player(self) -> bool:
        return self.game_id is None and self.player_id is None

    def holds(self, record: Record) -> bool:
        """Whether the record's event is to be compared; `since` chooses offsets, not records."""
        return self.game_id in {None, record.game_id} and self.player_id in {
            None,
            record.player_id,
        }
