"""Which events a board counts, by what is in their `data`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from apps.contract import pointers
from apps.contract.pointers import joined, resolve

MAX_POINTERS: Final = 20
MAX_VALUES: Final = 100  # of `in`
MAX_TEXT: Final = 512  # characters
# As of scores: a crafted number must not cost more than a real one.
MAX_DIGITS: Final = 30
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_POINTER: Final = re.compile(pointers.PATTERN)

Scalar = str | bool | Decimal
Operand = Scalar | tuple[Scalar, ...]


class Check(StrEnum):
    """What a condition asks of a value."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EXISTS = "exists"


class WhereInvalid(Exception):
    """A filter that says nothing clear; `pointer` is where in it."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One test of the value at one pointer. Null counts as absent, as it does for scores."""

    pointer: str
    check: Check
    operand: Operand

    def holds(self, data: Any) -> bool:
        """Whether parsed `data` passes; types never coerce, numbers compare as exact decimals."""
        found = resolve(self.pointer, data)
        if self.check is Check.EXISTS:
            return (found is not None) is self.operand
        if found is None:
            return self.check is Check.NE
        return _PASSES[self.check](found, self.operand)


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """Conditions that must all hold; two filters are the same if their canonical JSON is."""

    text: str
    conditions: tuple[Condition, ...] = field(compare=False)

    def holds(self, data: Any) -> bool:
        """Whether the board counts an event of this parsed `data`."""
        return all(condition.holds(data) for condition in self.conditions)


def where_of(given: Any) -> Where | None:
    """The filter that an object of pointers says; None for an empty one, which passes all.

    Numbers are int or Decimal. Raises WhereInvalid, whose pointer is within the object.
    """
    if not isinstance(given, Mapping):
        raise WhereInvalid("", 'must be an object, as {"/mode": "ranked"}')
    if len(given) > MAX_POINTERS:
        raise WhereInvalid("", f"has more than {MAX_POINTERS} pointers")
    conditions = tuple(found for pointer in sorted(given) for found in _read(pointer, given))
    if not conditions:
        return None
    return Where(text=_canonical(conditions), conditions=conditions)


def where_of_text(text: str) -> Where | None:
    """The filter of a stored board, which is canonical JSON or empty."""
    return where_of(_exact.decode(text)) if text else None


def _read(pointer: str, given: Mapping[str, Any]) -> Iterator[Condition]:
    at = joined(pointer)
    shaped = pointer and _POINTER.fullmatch(pointer) and not _UNSTORABLE.search(pointer)
    if not shaped or len(pointer) > pointers.MAX_LENGTH:
        raise WhereInvalid(at, f"{pointer!r} is no JSON Pointer into data, as /mode")
    asked = given[pointer]
    if not isinstance(asked, Mapping):
        yield Condition(pointer=pointer, check=Check.EQ, operand=_scalar(at, asked))
        return
    if not asked:
        raise WhereInvalid(at, f"asks for nothing; give a value or any of {', '.join(Check)}")
    for name in sorted(asked):
        below = at + joined(name)
        if name not in list(Check):
            raise WhereInvalid(below, f"{name!r} is none of {', '.join(Check)}")
        check = Check(name)
        yield Condition(pointer=pointer, check=check, operand=_operand(below, check, asked[name]))


def _operand(at: str, check: Check, value: Any) -> Operand:
    if check is Check.EXISTS:
        if not isinstance(value, bool):
            raise WhereInvalid(at, "must be true or false")
        return value
    if check is Check.IN:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_VALUES:
            raise WhereInvalid(at, f"must be an array of 1 to {MAX_VALUES} values")
        return tuple(_scalar(at + joined(str(i)), item) for i, item in enumerate(value))
    operand = _scalar(at, value)
    if check in _ORDERED and not isinstance(operand, Decimal):
        raise WhereInvalid(at, "must be a number")
    return operand


def _scalar(at: str, value: Any) -> Scalar:
    if value is None:
        raise WhereInvalid(at, 'null counts as absent; ask {"exists": false}')
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > MAX_TEXT or _UNSTORABLE.search(value):
            told = f"must have at most {MAX_TEXT} characters, no NUL and no lone surrogate"
            raise WhereInvalid(at, told)
        return value
    if isinstance(value, int | Decimal):
        return _number(at, Decimal(value))
    raise WhereInvalid(at, "must be a string, a number, true or false")


def _number(at: str, value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_DIGITS or value.adjusted() >= MAX_DIGITS:
        raise WhereInvalid(at, f"has more than {MAX_DIGITS} digits before or after the point")
    # One text a number: 1.50 and 1.5 ask the same.
    plain = format(value, "f")
    return Decimal(plain.rstrip("0").rstrip(".") if "." in plain else plain)


def _canonical(conditions: tuple[Condition, ...]) -> str:
    told: dict[str, dict[str, Operand]] = {}
    for condition in conditions:
        told.setdefault(condition.pointer, {})[condition.check.value] = condition.operand
    return _encoder.encode(told).decode()


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is Decimal


def _same(found: Any, operand: Any) -> bool:
    if type(operand) is Decimal:
        return _is_number(found) and bool(found == operand)
    return type(found) is type(operand) and bool(found == operand)


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda found, operand: _is_number(found) and compare(found, operand)


_ORDERED: Final = frozenset({Check.GT, Check.GTE, Check.LT, Check.LTE})
_PASSES: Final[Mapping[Check, Callable[[Any, Any], bool]]] = {
    Check.EQ: _same,
    Check.NE: lambda found, operand: not _same(found, operand),
    Check.IN: lambda found, operands: any(_same(found, operand) for operand in operands),
    Check.GT: _compared(operator.gt),
    Check.GTE: _compared(operator.ge),
    Check.LT: _compared(operator.lt),
    Check.LTE: _compared(operator.le),
}
_exact: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
