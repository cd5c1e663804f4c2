"""The copies of player statistics in Redis, with their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from django.db import connection

from apps.ledger.cache import client, outages
from apps.ledger.versions import FRESH
from apps.operations.steps import step
from apps.reconcile.findings import Finding, Kind, Part
from apps.reconcile.job import Job
from apps.stats import cache, selectors
from apps.stats.cache import Pair, Statistics

_PAGE: Final = 1_000
_RAISE: Final = f"""
UPDATE player_statistics AS s SET version = greatest(s.version + 1, r.version)
  FROM (SELECT {FRESH} AS version) AS r, unnest(%s::text[], %s::text[]) AS w(player_id, game_id)
 WHERE s.player_id = w.player_id AND s.game_id = w.game_id
"""

Held = Mapping[bytes, bytes]  # key -> copy


def compare(job: Job) -> None:
    """Name, and mend where asked, copies that are not their rows. A missing copy is none.

    A copy that differs twice, and was not written in between, is not merely behind.
    Raises CacheUnavailable, KafkaUnavailable, ConsumersBehind.
    """
    suspects: dict[bytes, bytes] = {}
    with step(job.display, "statistics in Redis", 0):
        for keys in _keys():
            held = _read(keys)
            suspects |= _differing(job, held)
            job.display.advance(len(held))
    if not suspects:
        return
    job.settle()
    keys = sorted(suspects)
    for first in range(0, len(keys), _PAGE):
        again = _differing(job, _read(keys[first : first + _PAGE]))
        _tell(job, {key: copy for key, copy in again.items() if suspects[key] == copy})


def _keys() -> Iterator[list[bytes]]:
    page: list[bytes] = []
    with outages():
        for key in client().scan_iter(match=cache.key("*", "*"), count=_PAGE):
            page.append(key)
            if len(page) == _PAGE:
                yield page
                page = []
    yield page


def _read(keys: Sequence[bytes]) -> dict[bytes, bytes]:
    if not keys:
        return {}
    with outages():
        values: Any = client().mget(keys)
    return {
        key: value
        for key, value in zip(keys, values, strict=True)
        if value is not None and not cache.is_token(value)
    }


def _differing(job: Job, held: Held) -> dict[bytes, bytes]:
    copies = {key: _decoded(key, value) for key, value in held.items()}
    rows = _rows((c.player_id, c.game_id) for c in copies.values() if c is not None)
    scope = job.scope
    return {
        key: held[key]
        for key, copy in copies.items()
        if (copy is None and scope.every_player)
        or (
            copy is not None
            and scope.game_id in {None, copy.game_id}
            and scope.player_id in {None, copy.player_id}
            and rows.get((copy.player_id, copy.game_id)) != copy
        )
    }


def _decoded(key: bytes, value: bytes) -> Statistics | None:
    """The copy; None where it is none, or another player's."""
    try:
        copy = msgspec.json.decode(value, type=Statistics)
    except msgspec.MsgspecError:
        return None
    return copy if cache.key(copy.game_id, copy.player_id).encode() == key else None


def _rows(pairs: Iterator[Pair]) -> dict[Pair, Statistics]:
    return {(row.player_id, row.game_id): row for row in selectors.of_players(pairs)}


def _tell(job: Job, held: Held) -> None:
    copies = {key: _decoded(key, value) for key, value in held.items()}
    pairs = [(copy.player_id, copy.game_id) for copy in copies.values() if copy is not None]
    rows = _rows(iter(pairs))
    if job.repair and held:
        _mend(held, pairs)
    for key, copy in copies.items():
        row = None if copy is None else rows.get((copy.player_id, copy.game_id))
        job.report.add(
            Finding(
                part=Part.REDIS,
                kind=Kind.COPY_DIFFERS,
                consumer="stats",
                where=key.decode("utf-8", "replace"),
                expected="no copy" if row is None else _told(row),
                found="no statistics" if copy is None else _told(copy),
                remedy="forget the copy, so that the next read takes the row",
                repaired=job.repair,
            )
        )


def _mend(held: Held, pairs: Sequence[Pair]) -> None:
    """Under new versions, so that whoever is about to write an older value loses."""
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, [[pair[0] for pair in pairs], [pair[1] for pair in pairs]])
    # By their keys: what is no copy has no player.
    with outages():
        client().delete(*held)


def _told(copy: Statistics) -> str:
    return f"{copy.total_events:,} events at version {copy.version}"
