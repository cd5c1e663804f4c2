"""The leaderboards consumer: merge each scoring event once into the boards that count it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.contract.chunk import Record, decode_records
from apps.contract.queues import Consumer
from apps.hints import announce
from apps.leaderboards import rank_index, selectors
from apps.leaderboards.folding import Deltas, Rows, Scored, scores
from apps.leaderboards.known_boards import KnownBoards, Memory
from apps.leaderboards.models import Entry, LeaderboardsAppliedEvent
from apps.leaderboards.rank_index import BoardPeriod, Place, Untold
from apps.leaderboards.ruling import rule
from apps.ledger.failures import EventRefused
from apps.ledger.services import Applied

_memory = Memory()


class LeaderboardsConsumer:
    """Entries in PostgreSQL, rank order in Redis."""

    name = Consumer.LEADERBOARDS

    def apply(self, records: str) -> Applied:
        decoded = decode_records(records)
        boards, scoring, claimed = _claim(decoded)
        merged = _merge_events(boards, scoring, claimed)
        # Who applied a repeated event before, in another cut or from the log, may not have come to
        # its Redis write.
        repeated = [record for record in scoring if record.event_id not in claimed]
        return Applied(
            applied=len(decoded) - len(scoring) + merged.applied,
            changes=[*merged.changes, *_places(boards, repeated)] if repeated else merged.changes,
            refused=merged.refused,
        )

    def refresh(self, changes: list[Any]) -> None:
        show(changes)
        announce.boards_changed(change.scope for change in changes)

    def changes_of(self, records: str) -> list[Any]:
        decoded = decode_records(records)
        # Without a stamp: the boards as they stand in this transaction.
        boards = KnownBoards().read(None, {record.game_id for record in decoded})
        return _places(boards, decoded)


def _claim(records: Sequence[Record]) -> tuple[KnownBoards, list[Record], frozenset[str]]:
    """The boards, the records that they count, and the ids of those that are claimed now."""
    boards = _memory.boards
    games = {record.game_id for record in records}
    scoring = _scoring(boards, records)
    claim = LeaderboardsAppliedEvent.claim(record.event_id for record in scoring)
    if boards.stand(claim.stamp, games):
        return boards, scoring, claim.claimed
    # Other boards than we knew may count other events: give back, and claim by what stands now.
    boards = _memory.boards = boards.read(claim.stamp, games)
    if claim.claimed:
        LeaderboardsAppliedEvent.release(claim.claimed)
    scoring = _scoring(boards, records)
    claim = LeaderboardsAppliedEvent.claim(record.event_id for record in scoring)
    return boards, scoring, claim.claimed


def _scoring(boards: KnownBoards, records: Iterable[Record]) -> list[Record]:
    claims = boards.claims
    return [record for record in records if claims(record.game_id, record.event_type)]


def _merge_events(
    boards: KnownBoards, records: Iterable[Record], claimed: frozenset[str]
) -> Applied:
    """Merge the scores of the claimed records into all boards that count them.

    Runs in the caller's transaction. The first of equal ids counts.
    """
    left = set(claimed)
    deltas = Deltas()
    refused: list[tuple[Record, Exception]] = []
    # Games with somebody hidden or something decided; mostly none, and then nothing is asked.
    rulings = boards.rulings
    ruled: list[tuple[Scored, str]] = []
    for record in records:
        if record.event_id not in left:
            continue
        left.remove(record.event_id)
        counting = boards.counting(record.game_id, record.event_type)
        try:
            found = scores(
                counting,
                record.event_type,
                record.player_id,
                record.timestamp,
                record.data,
                record.event_id,
            )
        except EventRefused as error:
            refused.append((record, error))
            continue
        if rulings and record.game_id in rulings:
            ruled += [(scored, record.event_id) for scored in found]
            continue
        for scored in found:
            deltas.add(scored)
    if ruled:
        for scored in rule(rulings, ruled):
            deltas.add(scored)
    if refused:
        LeaderboardsAppliedEvent.release(record.event_id for record, _ in refused)
    return Applied(
        applied=len(claimed) - len(refused), changes=merge(deltas), refused=tuple(refused)
    )


def merge(deltas: Deltas) -> list[Place | Untold]:
    """Write the deltas; the places that changed, and where others may have."""
    generations = {key: found.definition.generation for key, found in deltas.boards.items()}
    changes: list[Place | Untold] = []
    for operator in deltas.operators():
        rows = deltas.rows(operator)
        changes += _untold(rows, generations)
        changes += rank_index.places_of(Entry.objects.merge(operator, rows), generations)
    return changes


def _untold(rows: Rows, generations: Mapping[tuple[str, str], int]) -> list[Untold]:
    """Ask for the rows of the scopes that seem to be kept up in Redis; the other scopes."""
    untold: list[Untold] = []
    players: defaultdict[int, list[str]] = defaultdict(list)
    for delta in rows.deltas:
        players[delta["part"]].append(delta["player_id"])
    for row in rows.scopes:
        scope = BoardPeriod(
            game_id=row["game_id"],
            board=row["board"],
            period=row["period"],
            period_start=rank_index.moment(row["period_start"]),
            generation=generations[row["game_id"], row["board"]],
        )
        row["told"] = rank_index.seems_kept_up(scope)
        if not row["told"]:
            untold.append(Untold(scope, players[row["part"]]))
    return untold


def show(changes: Iterable[Place | Untold]) -> None:
    """After the commit: keep up the orders that Redis holds or builds. Raises CacheUnavailable.

    What was not told, but is of an order that is kept up after all, is read as it stands now.
    """
    places: list[Place] = []
    untold: list[Untold] = []
    for change in changes:
        if isinstance(change, Place):
            places.append(change)
        else:
            untold.append(change)
    if untold and (kept_up := rank_index.kept_up(change.scope for change in untold)):
        touched = {
            (scope.game_id, scope.period_start, player_id)
            for scope, player_ids in untold
            if scope in kept_up
            for player_id in player_ids
        }
        places += (place for place in selectors.places(touched) if place.scope in kept_up)
    rank_index.put(places)


def _places(boards: KnownBoards, records: Iterable[Record]) -> list[Place]:
    """The places that the records touch, as they stand now."""
    touched = {
        (
            record.game_id,
            definition.start_of(period, record.timestamp),
            record.player_id,
        )
        for record in records
        for definition in boards.counting(record.game_id, record.event_type)
        for period in definition.periods
    }
    return selectors.places(touched)
