"""A stream of server-sent events: what the board was, then what moved."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Any, Final

from django.db import Error as DatabaseUnreachable

from apps.leaderboards.rules import plain
from apps.live.boards import NoSuchBoard, SharedBoard, View
from apps.live.hub import Hub
from apps.live.mailbox import Mail, Mailbox
from apps.live.movement import Line, moved
from apps.web.answers import exact_json

logger = logging.getLogger(__name__)
# All in seconds. Ranks at most ten times a second, however much changes, and players once.
PACE: Final = 0.1
PLAYERS_PACE: Final = 1.0
# That a client has gone is noticed when something is written to it, so its place is free by then.
KEEP_ALIVE: Final = 5.0
# Without a hint: one may be lost, and a period ends without one.
LOOK: Final = 5.0
# Then the client comes again: streams spread over new processes, and a key is asked for anew.
LIFETIME: Final = 900.0
RETRY_MS: Final = 1_000


class Stream:
    """The body of one response. Holds a place in the hub until it is closed."""

    def __init__(self, hub: Hub, box: Mailbox, board: SharedBoard, *, as_text: bool) -> None:
        self._hub = hub
        self._box = box
        self._board = board
        self._as_text = as_text
        # Before the response begins, so that a board that is gone is a 404. The mailbox is open
        # already: what changes from here on is seen later.
        self._view = board.view(after=time.monotonic())
        self._frames = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        # Also of a response that never began: no generator would be told of that.
        self._frames.close()
        self._hub.close(self._box)

    def _run(self) -> Generator[bytes, None, None]:
        yield b"retry: %d\n\n" % RETRY_MS + self._snapshot(self._view)
        now = told = looked = time.monotonic()
        ends, players_from = now + LIFETIME, now
        while now < ends:
            self._box.rest(until=looked + PACE)
            until = min(looked + LOOK, told + KEEP_ALIVE, ends)
            mail = self._box.take(until=until, players_from=players_from)
            if mail is None:
                return
            now = time.monotonic()
            frames = b""
            if mail.look_after is not None or now - looked >= LOOK:
                try:
                    frames = self._look(mail.look_after or now - LOOK / 2)
                except NoSuchBoard:
                    return
                except DatabaseUnreachable as error:
                    # Late, not wrong: it is looked at again.
                    logger.warning("live board not read", extra={"error": str(error)})
                looked = now
            if mail.players:
                frames += self._statistics(mail)
                players_from = now + PLAYERS_PACE
            if not frames and now - told >= KEEP_ALIVE:
                frames = b": still here\n\n"
            if frames:
                # Waits here while the client does not read; what changes meanwhile is but a mark.
                yield frames
                told = time.monotonic()

    def _look(self, after: float) -> bytes:
        before, self._view = self._view, self._board.view(after=after)
        view = self._view
        if view.start != before.start:
            return self._snapshot(view)
        changed, left = moved(before.lines, view.lines)
        if not changed and not left and view.total == before.total:
            return b""
        return self._frame(
            "ranks",
            {
                "total": view.total,
                "changed": [{**self._entry(one.line), "was": one.was} for one in changed],
                "left": left,
                "read_at": view.read_at,
            },
        )

    def _snapshot(self, view: View) -> bytes:
        watched = self._board.watched
        return self._frame(
            "snapshot",
            {
                "game_id": watched.game_id,
                "board": watched.board,
                "period": watched.period.value,
                "period_start": view.start,
                "period_end": view.end,
                "total": view.total,
                "entries": [self._entry(line) for line in view.lines],
                "read_at": view.read_at,
            },
        )

    def _statistics(self, mail: Mail) -> bytes:
        players = [
            {
                "player_id": player.player_id,
                "total_events": player.total_events,
                "last_event_at": player.last_event_at,
            }
            for player in mail.players
        ]
        return self._frame("stats", {"players": players, "unnamed": mail.unnamed})

    def _entry(self, line: Line) -> dict[str, Any]:
        score = plain(line.score)
        return {
            "rank": line.rank,
            "player_id": line.player_id,
            "score": score if self._as_text else Decimal(score),
            "achieved_at": line.achieved_at,
            "tied": line.tied,
        }

    def _frame(self, event: str, data: Any) -> bytes:
        # JSON has no line break in it. The id has a client say that it comes again; it gets a
        # snapshot in any case.
        number = int(self._view.read_at.timestamp() * 1_000)
        return b"event: %s\nid: %d\ndata: %s\n\n" % (event.encode(), number, exact_json(data))
