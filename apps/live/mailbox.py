"""What a stream has not looked at yet: marks, not messages, so a slow reader holds no memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from apps.hints.hint import MAX_PLAYERS, Hint, PlayerTotal


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """What came since the last look.

    `look_after`: a read of the board that began earlier may miss a change; None: nothing was
    heard. `unnamed`: how many changes of players are not in `players`.
    """

    look_after: float | None
    players: tuple[PlayerTotal, ...] = ()
    unnamed: int = 0


class Mailbox:
    """Between the one listener of the process and one stream. Times are of time.monotonic."""

    def __init__(self, game_id: str, board: str, period: str) -> None:
        self.game_id = game_id
        self._board = board
        self._period = period
        self._changed = threading.Condition()
        self._look_after: float | None = None
        self._players: dict[str, PlayerTotal] = {}
        self._unnamed = 0
        self._ended = False

    def hear(self, hint: Hint) -> None:
        """Mark what the hint says. Never waits for the stream."""
        with self._changed:
            if hint.touches(self._board, self._period):
                self._look_after = time.monotonic()
            self._unnamed += hint.unnamed
            self._note(hint.players)
            self._changed.notify()

    def look(self) -> None:
        """Have the stream look at the board, whatever was heard."""
        with self._changed:
            self._look_after = time.monotonic()
            self._changed.notify()

    def end(self) -> None:
        """Have the stream end."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def take(self, *, until: float, players_from: float) -> Mail | None:
        """What has come: of a board as soon as it has, of players from then on, or at `until`.

        None: the stream is to end.
        """
        with self._changed:
            while not self._ended and self._look_after is None:
                due = min(until, players_from) if self._players else until
                left = due - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return None if self._ended else self._taken(players_from)

    def rest(self, *, until: float) -> None:
        """Let things come together until then; the end alone is not waited out."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=max(0.0, until - time.monotonic()))

    def _taken(self, players_from: float) -> Mail:
        looked, self._look_after = self._look_after, None
        if time.monotonic() < players_from:
            return Mail(look_after=looked)
        players, self._players = tuple(self._players.values()), {}
        unnamed, self._unnamed = self._unnamed, 0
        return Mail(look_after=looked, players=players, unnamed=unnamed)

    def _note(self, players: Iterable[PlayerTotal]) -> None:
        for player in players:
            held = self._players.get(player.player_id)
            if held is None and len(self._players) >= MAX_PLAYERS:
                self._unnamed += 1
            elif held is None or held.version < player.version:
                self._players[player.player_id] = player
