"""What a board takes for a score that may be true. No clock, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final, NamedTuple

import msgspec

MAX_DIGITS: Final = 30  # before and after the point, as of scores
MAX_ATTEMPTS: Final = 1_000_000_000
MAX_INTERVAL: Final = 10 * 366 * 86_400  # seconds
_EXACT: Final = Context(prec=4 * MAX_DIGITS)
_exact: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class BoundsInvalid(Exception):
    """Bounds that say nothing clear; `pointer` is where in them."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class Last(NamedTuple):
    """The latest score of a player that the board has counted, by event time, then event id."""

    at: datetime
    event_id: str
    score: Decimal


class Breach(NamedTuple):
    """Which bound a score does not keep, and how."""

    rule: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What is not given is not asked; a score at the bound keeps it.

    `min`, `max`: of the score. `max_change`: of its distance to the player's last score.
    `min_interval`: seconds of event time between it and the player's last score. `max_attempts`:
    scores of a player in each period of the board.
    """

    min: Decimal | None = None
    max: Decimal | None = None
    max_change: Decimal | None = None
    min_interval: Decimal | None = None
    max_attempts: int | None = None

    @property
    def remember(self) -> bool:
        """Whether they ask what the board has counted of the player before."""
        return (self.max_change, self.min_interval, self.max_attempts) != (None, None, None)

    @property
    def text(self) -> str:
        """Canonical JSON."""
        return _encoder.encode(self.told()).decode()

    def told(self) -> dict[str, Any]:
        """Those that are given."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def breach_alone(self, score: Decimal) -> Breach | None:
        """Of what the score says by itself."""
        if self.min is not None and score < self.min:
            return Breach("min", f"{_plain(score)} is below {_plain(self.min)}")
        if self.max is not None and score > self.max:
            return Breach("max", f"{_plain(score)} is above {_plain(self.max)}")
        return None

    def breach_after(
        self, score: Decimal, at: datetime, last: Last | None, attempts: Iterable[tuple[str, int]]
    ) -> Breach | None:
        """Of what was counted before; `attempts` by the name of each period that holds `at`."""
        if last is not None:
            change = abs(_EXACT.subtract(score, last.score))
            if self.max_change is not None and change > self.max_change:
                told = f"changes {_plain(last.score)} by {_plain(change)}"
                return Breach("max_change", f"{told}, more than {_plain(self.max_change)}")
            seconds = _seconds(at, last.at)
            if self.min_interval is not None and seconds < self.min_interval:
                told = f"{_plain(seconds)} s from the last score"
                return Breach("min_interval", f"{told}, less than {_plain(self.min_interval)}")
        if self.max_attempts is not None:
            for period, count in attempts:
                if count >= self.max_attempts:
                    return Breach("max_attempts", f"{count} attempts in the {period} period before")
        return None


def bounds_of(given: Any) -> Bounds | None:
    """The bounds that an object says; None for an empty one. Numbers are int or Decimal.

    Raises BoundsInvalid, whose pointer is within the object.
    """
    if not isinstance(given, Mapping):
        raise BoundsInvalid("", 'must be an object, as {"max": 1000}')
    names = [item.name for item in fields(Bounds)]
    for name in given:
        if name not in names:
            raise BoundsInvalid(f"/{name}", f"{name!r} is none of {', '.join(names)}")
    values = {name: _number(name, value) for name, value in given.items()}
    if not values:
        return None
    _least(values, "max_change", Decimal(0))
    _least(values, "min_interval", Decimal(0))
    _least(values, "max_attempts", Decimal(1))
    if "min" in values and "max" in values and values["min"] > values["max"]:
        raise BoundsInvalid("/max", "must not be below min")
    if values.get("min_interval", 0) > MAX_INTERVAL:
        raise BoundsInvalid("/min_interval", f"must be at most {MAX_INTERVAL} seconds")
    attempts = values.pop("max_attempts", None)
    if attempts is not None and (attempts != int(attempts) or attempts > MAX_ATTEMPTS):
        raise BoundsInvalid("/max_attempts", f"must be an integer of at most {MAX_ATTEMPTS}")
    return Bounds(**values, max_attempts=None if attempts is None else int(attempts))


def bounds_of_text(text: str) -> Bounds | None:
    """The bounds of a stored board, which are canonical JSON or empty."""
    return bounds_of(_exact.decode(text)) if text else None


def _number(name: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BoundsInvalid(f"/{name}", "must be a number")
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_DIGITS or number.adjusted() >= MAX_DIGITS:
        told = f"has more than {MAX_DIGITS} digits before or after the point"
        raise BoundsInvalid(f"/{name}", told)
    # One text a number: 1.50 and 1.5 bound the same.
    return Decimal(_plain(number))


def _least(values: Mapping[str, Decimal], name: str, least: Decimal) -> None:
    if name in values and values[name] < least:
        raise BoundsInvalid(f"/{name}", f"must be at least {least}")


def _seconds(one: datetime, other: datetime) -> Decimal:
    apart = abs(one - other)
    whole = Decimal(apart.days * 86_400 + apart.seconds)
    return whole + Decimal(apart.microseconds).scaleb(-6)


def _plain(number: Decimal) -> str:
    return format(_EXACT.plus(number).normalize(_EXACT), "f")
