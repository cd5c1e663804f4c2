"""The judge: what the client was told, against what the tables hold. Shares no code with them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.faults import oracle_sql
from tests.faults.client import Told
from tests.faults.stream import Kind, Stream

SAMPLE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Excuse:
    """What a row is expected to leave behind, besides the dead letters of unscored events.

    `letters`: (consumer, cause) of dead letters that may be there. `missing`: ids of events that
    Kafka itself no longer had. `any_letters`: dead letters of other messages than the client's.
    """

    letters: frozenset[tuple[str, str]] = frozenset()
    missing: frozenset[str] = frozenset()
    any_letters: bool = False


NO_EXCUSE = Excuse()


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Where the tables were before the seed began."""

    letter_id: int
    positions: dict[tuple[str, int], int]
    topic_id: str


@dataclass(kw_only=True, slots=True)
class Verdict:
    """What is wrong: `lost` and `doubled` effects, and each finding in words."""

    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)

    def find(self, what: str, rows: Iterable[tuple[Any, ...]], *, count: str = "") -> None:
        """Note findings; `count` is the tally that they belong to."""
        found = list(rows)
        if not found:
            return
        if count == "lost":
            self.lost += len(found)
        elif count == "doubled":
            self.doubled += len(found)
        shown = "; ".join(str(tuple(map(str, row))) for row in found[:SAMPLE])
        self.problems.append(f"{what}: {len(found)}, as {shown}")


def mark(cursor: Any, topic_id: str) -> Mark:
    """Remember where the tables are."""
    cursor.execute("SELECT coalesce(max(id), 0) FROM dlq_events")
    ((letter_id,),) = cursor.fetchall()
    cursor.execute(
        "SELECT consumer, partition, next_offset FROM consumer_positions WHERE topic_id = %s",
        [topic_id],
    )
    positions = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
    return Mark(letter_id=letter_id, positions=positions, topic_id=topic_id)


def judge(
    cursor: Any, stream: Stream, told: bytes, before: Mark, excuse: Excuse = NO_EXCUSE
) -> Verdict:
    """Compare the tables with what the client was told."""
    verdict = Verdict()
    load(cursor, stream, told, excuse)
    for check in (_lost, _doubled, _content, _statistics, _boards):
        check(verdict, _asker(cursor, stream))
    _letters(verdict, _asker(cursor, stream), before, excuse)
    _chunks(verdict, _asker(cursor, stream), before, exact=not excuse.missing)
    return verdict


Ask = Callable[..., list[tuple[Any, ...]]]


def _asker(cursor: Any, stream: Stream) -> Ask:
    def ask(query: str, **more: Any) -> list[tuple[Any, ...]]:
        parameters = {"games": list(stream.games), "board_game": stream.board_game, **more}
        cursor.execute(query, parameters)
        return list(cursor.fetchall())

    return ask


def load(cursor: Any, stream: Stream, told: bytes, excuse: Excuse) -> None:
    """Put what the client knows beside the tables, and recompute from the log."""
    cursor.execute(oracle_sql.TOLD)
    lines = io.StringIO()
    for event, known in zip(stream.events, told, strict=True):
        data = event.data.replace("\\", "\\\\")
        columns = (
            event.event_id, event.event_type, event.player_id, event.game_id,
            event.timestamp.isoformat(), data, str(int(event.kind)), str(int(known)),
            "t" if event.event_id in excuse.missing else "f",
            "\\N" if event.session_id is None else event.session_id,
        )  # fmt: skip
        lines.write("\t".join(columns) + "\n")
    lines.seek(0)
    cursor.copy_expert("COPY told FROM STDIN", lines)
    parameters = {"games": list(stream.games), "board_game": stream.board_game}
    for statement in (oracle_sql.BASE, oracle_sql.SCORED, oracle_sql.BOARDS):
        cursor.execute(statement, parameters)
    for table in ("told", "base", "scored", "board"):
        cursor.execute(f"ANALYZE {table}")


def _lost(verdict: Verdict, ask: Ask) -> None:
    for consumer, ledger in oracle_sql.LEDGERS.items():
        query = oracle_sql.LOST.format(ledger=ledger, types=oracle_sql.COUNTED[consumer])
        rows = ask(query, consumer=consumer, ok=int(Told.OK), refused=int(Kind.REFUSED))
        verdict.find(f"confirmed, and neither in {ledger} nor dead", rows, count="lost")
    rows = ask(oracle_sql.UNSCORED_NOT_DEAD, ok=int(Told.OK), unscored=int(Kind.UNSCORED))
    verdict.find("no score, and no dead letter of the boards", rows, count="lost")


def _doubled(verdict: Verdict, ask: Ask) -> None:
    for consumer, ledger in oracle_sql.LEDGERS.items():
        rows = ask(oracle_sql.BOTH.format(ledger=ledger), consumer=consumer)
        verdict.find(f"both in {ledger} and dead", rows, count="doubled")
    verdict.find("the statistics' ledger and the log differ", ask(oracle_sql.LEDGER_DIFFERS))


def _content(verdict: Verdict, ask: Ask) -> None:
    rows = ask(oracle_sql.INVENTED, nothing=int(Told.NOTHING), refused=int(Kind.REFUSED))
    verdict.find("applied, though never sent or rejected", rows, count="doubled")
    verdict.find("the log differs from what was sent", ask(oracle_sql.ALTERED))


def _statistics(verdict: Verdict, ask: Ask) -> None:
    rows = ask(oracle_sql.STATISTICS_DIFFER)
    verdict.find("statistics below the log", [r for r in rows if r[2] < r[3]], count="lost")
    verdict.find("statistics above the log", [r for r in rows if r[2] > r[3]], count="doubled")
    verdict.find("statistics beside the log", [r for r in rows if r[2] == r[3]])
    rows = ask(oracle_sql.GAMES_DIFFER)
    verdict.find("games' totals below the log", [r for r in rows if r[2] < r[3]], count="lost")
    verdict.find("games' totals above the log", [r for r in rows if r[2] > r[3]], count="doubled")
    verdict.find("games' players beside the log", [r for r in rows if r[2] == r[3]])


def _boards(verdict: Verdict, ask: Ask) -> None:
    rows = ask(oracle_sql.BOARDS_DIFFER)
    missing = [row for row in rows if row[5] is None]
    verdict.find("board entries missing", missing, count="lost")
    extra = [row for row in rows if row[5] is not None and row[6] is None]
    verdict.find("board entries of no event", extra, count="doubled")
    other = [row for row in rows if row[5] is not None and row[6] is not None]
    below = [row for row in other if row[5] < row[6]]
    verdict.find("board scores below the log", below, count="lost")
    above = [row for row in other if row[5] > row[6]]
    verdict.find("board scores above the log", above, count="doubled")
    verdict.find("board times beside the log", [row for row in other if row[5] == row[6]])


def _letters(verdict: Verdict, ask: Ask, before: Mark, excuse: Excuse) -> None:
    letters = ask(oracle_sql.LETTERS, letter_id=before.letter_id)
    unexpected = [
        row
        for row in letters
        if not (
            row[:2] in excuse.letters
            or (row[:2] == ("leaderboards", "score_invalid") and row[3] == int(Kind.UNSCORED))
            or (excuse.any_letters and row[3] is None)
        )
    ]
    verdict.find("dead letters that nothing explains", unexpected)


def _chunks(verdict: Verdict, ask: Ask, before: Mark, *, exact: bool) -> None:
    rows = ask(oracle_sql.CHUNKS_INVALID, topic_id=before.topic_id)
    verdict.find("chunks that count more than their offsets", rows)
    for (consumer, partition), position in before.positions.items():
        rows = ask(
            oracle_sql.CHUNK_RANGES,
            **{"consumer": consumer, "partition": partition, "topic_id": before.topic_id},
            position=position,
        )
        ranges = [(row[0], row[1]) for row in rows]
        ((end,),) = ask(
            oracle_sql.POSITION,
            **{"consumer": consumer, "partition": partition, "topic_id": before.topic_id},
        )
        hole = first_hole(ranges, position, end)
        if hole is not None and exact:
            verdict.find("offsets that no chunk has", [(consumer, partition, hole, end)])


def first_hole(ranges: list[tuple[int, int]], start: int, end: int) -> int | None:
    """The first offset in [start, end) that no range covers; ranges are sorted by their start."""
    reached = start
    for first, following in ranges:
        if first > reached:
            break
        reached = max(reached, following)
    return reached if reached < end else None
