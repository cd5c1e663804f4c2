"""Cursors: where the next page of a walk begins, in the rank order itself.

A cursor is a place (rank key, `achieved_at`, player id) and a side of it, never an offset: writes
move nobody over it but those who moved. It is opaque text, not signed: it names a place on a board
that its bearer may read anyhow. A checksum tells one that was cut or altered.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from hashlib import blake2s
from typing import Final

import msgspec

from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rules import Definition

# What the longest player id needs (512 characters of 4 bytes), with room.
MAX_LENGTH: Final = 4_096
_CHECKSUM: Final = 4
_EXACT: Final = Context(prec=400)
# A crafted number must not cost more than a real one; exponents are refused.
_NUMBER: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z
_BROKEN: Final = "the cursor is not one that this API gave"


class CursorInvalid(Exception):
    """The cursor is broken, or of another board or period."""


class CursorExpired(Exception):
    """The cursor's period has ended, or its board was defined anew."""


class Side(StrEnum):
    """Which entries, seen from a place; `AFTER` and `BEFORE` leave its own entry out."""

    AFTER = ">"
    FROM = ">="
    BEFORE = "<"
    UPTO = "<="

    @property
    def onward(self) -> bool:
        """Towards the end of the board."""
        return self in {Side.AFTER, Side.FROM}

    @property
    def opposite(self) -> Side:
        """All that this side leaves out."""
        return _OPPOSITE[self]


_OPPOSITE: Final = {
    Side.AFTER: Side.UPTO,
    Side.UPTO: Side.AFTER,
    Side.BEFORE: Side.FROM,
    Side.FROM: Side.BEFORE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seek:
    """The entries on one side of a place; nobody needs to stand on it."""

    side: Side
    rank_key: Decimal
    achieved_at: datetime
    player_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """What a cursor is good for: one board as it is defined, in one period."""

    definition: Definition
    period: Period
    period_start: datetime

    def cursor(self, seek: Seek) -> str:
        """The opaque text of a place."""
        packed = _packer.encode(
            _Cursor(
                board=_board(self.definition),
                edition=_edition(self.definition),
                period=self.period,
                period_start=_microseconds(self.period_start),
                side=seek.side,
                rank_key=_plain(seek.rank_key),
                achieved_at=_microseconds(seek.achieved_at),
                player_id=seek.player_id,
            )
        )
        checked = packed + zlib.crc32(packed).to_bytes(_CHECKSUM, "big")
        return base64.urlsafe_b64encode(checked).rstrip(b"=").decode()

    def seek(self, cursor: str, *, asked_for_now: bool) -> Seek:
        """The place of a cursor of this walk; `asked_for_now`: the period is the current one.

        Raises CursorInvalid, CursorExpired.
        """
        found = _unpacked(cursor)
        if found.board != _board(self.definition):
            raise CursorInvalid("the cursor is of another board")
        if found.period is not self.period:
            raise CursorInvalid(f"the cursor is of the {found.period} board")
        start = _microseconds(self.period_start)
        if found.period_start < start and asked_for_now:
            raise CursorExpired("the cursor's period has ended: begin anew, or send its `at`")
        if found.period_start != start:
            raise CursorInvalid("the cursor is of another period than `at`")
        if found.edition != _edition(self.definition):
            raise CursorExpired("the board was defined anew: begin anew")
        return Seek(
            side=found.side,
            rank_key=Decimal(found.rank_key),
            achieved_at=EPOCH + found.achieved_at * _MICROSECOND,
            player_id=found.player_id,
        )


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Times are microseconds since 1970."""

    board: bytes
    edition: bytes
    period: Period
    period_start: int
    side: Side
    rank_key: str
    achieved_at: int
    player_id: str


_packer: Final = msgspec.msgpack.Encoder()
_unpacker: Final = msgspec.msgpack.Decoder(_Cursor)


def _unpacked(cursor: str) -> _Cursor:
    """Raises CursorInvalid for whatever `Walk.cursor` does not make."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        checked = base64.b64decode(padded, altchars=b"-_", validate=True)
        packed, checksum = checked[:-_CHECKSUM], checked[-_CHECKSUM:]
        if zlib.crc32(packed).to_bytes(_CHECKSUM, "big") != checksum:
            raise CursorInvalid(_BROKEN)
        found = _unpacker.decode(packed)
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError) as error:
        raise CursorInvalid(_BROKEN) from error
    if (
        not _NUMBER.fullmatch(found.rank_key)
        or _CONTROL.search(found.player_id)
        or not 0 <= found.achieved_at <= _LATEST
    ):
        raise CursorInvalid(_BROKEN)
    return found


def _board(definition: Definition) -> bytes:
    name = f"{definition.game_id}\0{definition.name}"
    return blake2s(name.encode(), digest_size=8).digest()


def _edition(definition: Definition) -> bytes:
    """Differs where ranks or their keys are no more what they were when the walk began."""
    rules = _rules.encode(definition)
    return blake2s(rules, digest_size=6).digest()


# `repr` for what a definition may hold one day that JSON does not.
_rules: Final = msgspec.json.Encoder(order="deterministic", enc_hook=repr)


def _plain(number: Decimal) -> str:
    """One text a number, whichever source it is from."""
    return format(_EXACT.plus(number).normalize(_EXACT), "f")


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND
