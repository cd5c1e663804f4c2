"""The judge of what readers see: Redis, read directly and over HTTP, against PostgreSQL."""

from __future__ import annotations

import http.client
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import redis

from gamemetrics.stack.ports import HOST
from tests.faults.oracle import Verdict
from tests.faults.reader import statistics_path
from tests.faults.stream import Stream

_STATISTICS = """
SELECT game_id, player_id, version, total_events, event_breakdown, sessions, first_event_at,
       last_event_at
  FROM player_statistics WHERE game_id = ANY(%s)
"""
_ENTRIES = """
SELECT game_id, board, period, period_start, player_id, score, achieved_at, version
  FROM leaderboards WHERE game_id = ANY(%s)
 ORDER BY game_id, board, period, period_start, score DESC, achieved_at, player_id
"""
BoardKey = tuple[str, str, str, datetime]
Entry = tuple[str, Decimal, datetime, int]


@dataclass(kw_only=True)
class Readers:
    """Compares what a seed's games look like to those who read them."""

    cache: redis.Redis
    port: int
    verdict: Verdict
    _http: Any = field(init=False)

    def __post_init__(self) -> None:
        self._http = http.client.HTTPConnection(HOST, self.port, timeout=30)

    def judge(self, cursor: Any, stream: Stream) -> None:
        """Every player's statistics and every board, as Redis and as the API has them."""
        try:
            cursor.execute(_STATISTICS, [list(stream.games)])
            self._statistics(list(cursor.fetchall()))
            cursor.execute(_ENTRIES, [list(stream.games)])
            boards: dict[BoardKey, list[Entry]] = defaultdict(list)
            for row in cursor.fetchall():
                boards[row[:4]].append(row[4:])
            self._boards(boards)
        finally:
            self._http.close()
            self.cache.close()

    def _statistics(self, rows: list[tuple[Any, ...]]) -> None:
        keys = [f"stats:{row[0]}:{row[1]}" for row in rows]
        held: Any = self.cache.mget(keys) if keys else []
        stale, wrong = [], []
        for row, text in zip(rows, held, strict=True):
            no_copy = text is None or text.startswith(b"?")  # a reader's token
            if not no_copy and not _is_copy(json.loads(text), row):
                stale.append((*row[:2], *row[2:4], text.decode()[:120]))
            status, read = self._get(statistics_path(row[1], row[0]))
            if status != 200 or not _is_copy({"version": row[2], **read}, row):
                wrong.append((*row[:4], status, str(read)[:120]))
        self.verdict.find("statistics in Redis are not PostgreSQL's", stale)
        self.verdict.find("statistics over HTTP are not PostgreSQL's", wrong)

    def _boards(self, boards: dict[BoardKey, list[Entry]]) -> None:
        stale, wrong = [], []
        for key, entries in boards.items():
            if not self._is_ranked(key, entries):
                stale.append(key)
            if not self._is_read(key, entries):
                wrong.append(key)
        self.verdict.find("boards in Redis are not PostgreSQL's", stale)
        self.verdict.find("boards over HTTP are not PostgreSQL's", wrong)

    def _is_ranked(self, key: BoardKey, entries: list[Entry]) -> bool:
        """Whether a board that Redis calls complete has PostgreSQL's versions and order."""
        game_id, board, period, start = key
        base = f"lb:{{{game_id}|{board}|{period}|{start:%Y-%m-%dT%H%M}}}"
        held: Any = self.cache.hgetall(f"{base}:player")
        if held.pop(b"", None) != b"complete":
            return True
        found = {
            player.decode(): (int(text.partition(b" ")[0]), text.partition(b" ")[2])
            for player, text in held.items()
        }
        if {entry[0]: entry[3] for entry in entries} != {p: v for p, (v, _) in found.items()}:
            return False
        player_of = {member: player for player, (_, member) in found.items()}
        members: Any = self.cache.zrange(f"{base}:rank", 0, -1)
        return [player_of.get(member) for member in members] == [entry[0] for entry in entries]

    def _is_read(self, key: BoardKey, entries: list[Entry]) -> bool:
        game_id, board, period, start = key
        query = {"period": period, "limit": 1000, "scores": "string"}
        if period != "alltime":
            query["at"] = start.isoformat()
        path = f"/api/v1/leaderboards/{quote(game_id)}/{board}?{urlencode(query)}"
        status, read = self._get(path)
        if status != 200:
            return False
        seen = [
            (line["player_id"], Decimal(line["score"]), _moment(line["achieved_at"]))
            for line in read["entries"]
        ]
        return read["total"] == len(entries) and seen == [entry[:3] for entry in entries]

    def _get(self, path: str) -> tuple[int, Any]:
        self._http.request("GET", path)
        answer = self._http.getresponse()
        text = answer.read()
        return answer.status, json.loads(text)


def _is_copy(read: dict[str, Any], row: tuple[Any, ...]) -> bool:
    counts = [read.get(name) for name in ("version", "total_events", "events", "sessions")]
    times = [_moment(read[name]) for name in ("first_event_at", "last_event_at")]
    return [*counts, *times] == list(row[2:])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
