"""What a worker tells of a chunk: what may have changed in a game. Never a truth.

A hint can be lost, doubled or late, so who hears one reads the board; what it carries of players is
absolute and versioned.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

CHANNELS: Final = "live:"
# What a hint may carry; a few kilobytes.
MAX_BOARDS: Final = 100
MAX_PLAYERS: Final = 50
# Seconds for which a worker goes by what it last knew of who listens. Who begins to listen looks
# again after this time, since until then a worker may have kept silent.
DEAF_SECONDS: Final = 0.5


class PlayerTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A player's statistics after the chunk; the greater version is the newer one."""

    player_id: str
    version: int
    total_events: int
    last_event_at: datetime


class Hint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may have changed in a game: (board, period) pairs; players' statistics.

    `any_board`: more boards than can be named. `unnamed`: players beyond those in `players`.
    """

    boards: tuple[tuple[str, str], ...] = ()
    any_board: bool = False
    players: tuple[PlayerTotal, ...] = ()
    unnamed: int = 0

    def touches(self, board: str, period: str) -> bool:
        return self.any_board or (board, period) in self.boards


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(Hint).decode


def channel(game_id: str) -> bytes:
    """The pub/sub channel of a game's hints."""
    return (CHANNELS + game_id).encode(errors="replace")


def game_of(channel: bytes) -> str:
    """The game of a channel's name. Anybody may name a channel, so it need not be one of ours."""
    return channel.decode(errors="replace").removeprefix(CHANNELS)
