"""The shipped events: 999 games of Lichess, as their players played them."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from apps.demo.stream import Batch

DATA: Final = Path(__file__).parent / "data" / "lichess"


class Played(msgspec.Struct, frozen=True):
    """A line of the file; `data` is parsed for the two scores alone."""

    event_id: str
    event_type: str
    player_id: str
    game_id: str
    timestamp: datetime
    data: msgspec.Raw


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """The file's lines as they are sent, and as they are read."""

    lines: Sequence[bytes]
    events: Sequence[Played]

    def lanes(self, connections: int, batch: int) -> list[Iterator[Batch]]:
        """The lines shared out by player and cut into batches, in the order of the file.

        A player's events all take the same lane, so they also arrive in order.
        """
        lanes: list[list[bytes]] = [[] for _ in range(connections)]
        for line, event in zip(self.lines, self.events, strict=True):
            lanes[zlib.crc32(event.player_id.encode()) % connections].append(line)
        return [_batches(lane, batch) for lane in lanes]


@lru_cache(maxsize=1)
def recording() -> Recording:
    """The whole file, unpacked and parsed: about 25 MB, 0.3 s."""
    with gzip.open(DATA / "events.ndjson.gz") as file:
        lines = file.read().splitlines()
    decoder = msgspec.json.Decoder(Played)
    return Recording(lines=lines, events=[decoder.decode(line) for line in lines])


@lru_cache(maxsize=1)
def known() -> dict[str, Any]:
    """What the demo must end with, computed apart from this code; see SOURCE.md."""
    content: dict[str, Any] = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
    return content


def _batches(lines: Sequence[bytes], size: int) -> Iterator[Batch]:
    for start in range(0, len(lines), size):
        part = lines[start : start + size]
        yield Batch(body=b"\n".join(part), events=len(part))
