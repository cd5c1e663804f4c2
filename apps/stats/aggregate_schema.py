"""How an aggregate is said as data: over HTTP, in the admin and on the command line alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from ninja import Schema
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from apps.contract import pointers
from apps.stats.aggregates import Definition, Operator
from apps.web.schemas import EventType, GameId, Name

_game_id: Final[TypeAdapter[str]] = TypeAdapter(GameId)


class AggregateInvalid(Exception):
    """The declaration makes no aggregate; `pointer` is where in it, `code` what is wrong."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.code = code


class RuleIn(Schema):
    """Which events count, where their number is, and how numbers become one."""

    model_config = ConfigDict(extra="forbid")

    event_types: Annotated[list[EventType], Field(min_length=1, max_length=50)]
    pointer: str = Field(
        pattern=f"^{pointers.PATTERN}$",
        min_length=1,
        max_length=pointers.MAX_LENGTH,
        description="JSON Pointer into `data`. What is no number there is skipped, and told.",
        examples=["/damage"],
    )
    operator: Operator = Field(description="`last` goes by event time, then by event id.")
    reason: str = Field(
        "", max_length=1_000, pattern=r"^[^\x00]*$", description="Why; it is kept with the version."
    )

    def definition(self, game_id: str, name: str) -> Definition:
        """The aggregate of a game."""
        return Definition(
            game_id=game_id,
            name=name,
            event_types=tuple(sorted(set(self.event_types))),
            pointer=self.pointer,
            operator=self.operator,
        )


class AggregateIn(RuleIn):
    """An aggregate as data."""

    name: Name


class VersionOut(Schema):
    """A definition in force, and who made it so."""

    name: str
    event_types: list[str]
    pointer: str
    operator: Operator
    version: int
    changed_by: str
    changed_at: datetime
    reason: str


def definition_of(game_id: str, given: Mapping[str, Any]) -> Definition:
    """The aggregate that plain values say. Raises AggregateInvalid."""
    try:
        rule = AggregateIn.model_validate(dict(given))
        _game_id.validate_python(game_id)
    except ValidationError as error:
        first = error.errors()[0]
        pointer = pointers.joined(*map(str, first["loc"] or ("game_id",)))
        raise AggregateInvalid(pointer, first["type"], first["msg"]) from error
    return rule.definition(game_id, rule.name)
