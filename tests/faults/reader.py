"""Somebody who reads while events are applied and processes are killed.

What nobody reads is not in Redis, and then nothing there can be lost, stale or wrong.
"""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import quote, urlencode

from gamemetrics.stack.ports import HOST
from tests.faults.stream import PLAYERS, Stream

# Seconds between two reads, as long as nothing is away; so each player is read every few seconds.
PAUSE: Final = 0.01
ANSWER_SECONDS: Final = 5.0


@dataclass(kw_only=True)
class Reader:
    """Reads players and boards of a seed's games; what it is told is counted, and judged later."""

    stream: Stream
    ports: Sequence[int]
    chance: Random
    statuses: Counter[str] = field(default_factory=Counter)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._stopped.set()
        self._thread.join(ANSWER_SECONDS + 5)

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE):
            connection = http.client.HTTPConnection(
                HOST, self.chance.choice(self.ports), timeout=ANSWER_SECONDS
            )
            try:
                connection.request("GET", self._address())
                answer = connection.getresponse()
                answer.read()
                self.statuses[str(answer.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1
            finally:
                connection.close()

    def _address(self) -> str:
        game_id = self.chance.choice(self.stream.games)
        if self.chance.random() < 0.1:
            return f"/api/v1/leaderboards/{quote(game_id)}/default?period=alltime"
        player_id = self.chance.choice(PLAYERS)
        return statistics_path(player_id, game_id)


def statistics_path(player_id: str, game_id: str) -> str:
    """Where the API answers a player's statistics."""
    return f"/api/v1/players/{quote(player_id)}/stats?{urlencode({'game_id': game_id})}"
