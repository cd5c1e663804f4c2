"""How a board is said as data: over HTTP, in the admin and on the command line alike."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

import msgspec
from ninja import Schema
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from apps.contract import pointers
from apps.leaderboards import seasons
from apps.leaderboards.bounds import Bounds, BoundsInvalid, bounds_of
from apps.leaderboards.filters import Where, WhereInvalid, where_of
from apps.leaderboards.periods import CALENDAR, Period
from apps.leaderboards.rules import DEFAULT_BOARD, Definition, Operator, Order, Scoring
from apps.web.schemas import EventType, GameId, Name

_game_id: Final[TypeAdapter[str]] = TypeAdapter(GameId)
_told: Final = msgspec.json.Encoder(decimal_format="number")
_exact: Final = msgspec.json.Decoder(float_hook=Decimal)


class BoardInvalid(Exception):
    """The declaration makes no board; `pointer` is where in it, `code` what is wrong."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.code = code


class BoardIn(Schema):
    """A board as data: which events count, where their score is, and how scores come together."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "ranked-wins",
                    "event_types": ["game_finished"],
                    "score": "/points",
                    "where": {"/mode": "ranked", "/duration": {"gte": 60}},
                    "operator": "sum",
                    "periods": ["alltime", "weekly", "season"],
                    "season": "0 4 1 */3 *",
                    "timezone": "Europe/Vienna",
                }
            ]
        },
    )

    name: Name
    event_types: Annotated[list[EventType], Field(min_length=1, max_length=50)]
    score: str = Field(
        "",
        pattern=f"^{pointers.PATTERN}$",
        max_length=pointers.MAX_LENGTH,
        description="JSON Pointer into `data`. `count` alone does without; with one it counts the "
        "events that have something there.",
        examples=["/points"],
    )
    where: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON Pointer into `data` -> the value that must be there, or an object of any "
        "of `eq`, `ne`, `in`, `gt`, `gte`, `lt`, `lte`, `exists`. All must hold. Numbers compare "
        "as exact decimals; types never coerce; what is absent or null passes only `ne` and "
        "`exists: false`. An event that does not pass is not counted.",
        examples=[{"/mode": "ranked", "/level": {"gte": 5, "lt": 10}}],
    )
    operator: Operator
    order: Order = Order.DESC
    periods: Annotated[list[Period], Field(min_length=1)] = Field(
        default=list(CALENDAR), description="Kept together on the board."
    )
    season: str = Field(
        "",
        description="Needed for the period `season`: a cron expression of 5 fields (minute hour "
        "day month weekday) in `timezone`, which fires when a season begins.",
        examples=["0 4 1 */3 *"],
    )
    timezone: str = Field("UTC", description="Of the IANA database, as Europe/Vienna.")
    bounds: dict[str, Any] = Field(
        default_factory=dict,
        description="Any of `min` and `max` (of a score), `max_change` (distance to the player's "
        "last counted score), `min_interval` (seconds of event time to it) and `max_attempts` "
        "(counted scores of a player in each period). A score that does not keep them is held in "
        "quarantine: it does not count on this board until somebody releases it.",
        examples=[{"min": 0, "max": 100000, "max_attempts": 500}],
    )

    reason: str = Field(
        "",
        max_length=1_000,
        pattern=r"^[^\x00]*$",
        description="Why; it is kept with the version of the board.",
    )

    def definition(self, game_id: str) -> Definition:
        """The board of a game. Raises BoardInvalid."""
        if self.name == DEFAULT_BOARD:
            told = "the default board exists without configuration; choose another name"
            raise BoardInvalid("/name", "name_reserved", told)
        if not self.score and self.operator is not Operator.COUNT:
            told = f"{self.operator} needs a JSON Pointer to the score, as /points"
            raise BoardInvalid("/score", "score_missing", told)
        if self.timezone not in available_timezones():
            told = "must be a time zone of the IANA database, as Europe/Vienna"
            raise BoardInvalid("/timezone", "timezone_unknown", told)
        return Definition(
            game_id=game_id,
            name=self.name,
            scoring=dict.fromkeys(self.event_types, Scoring(pointer=self.score)),
            operator=self.operator,
            order=self.order,
            periods=tuple(period for period in Period if period in self.periods),
            timezone=self.timezone,
            where=self._where(),
            season=self._season(),
            bounds=self._bounds(),
        )

    def _where(self) -> Where | None:
        try:
            return where_of(self.where)
        except WhereInvalid as error:
            raise BoardInvalid(f"/where{error.pointer}", "where_invalid", str(error)) from error

    def _bounds(self) -> Bounds | None:
        try:
            return bounds_of(self.bounds)
        except BoundsInvalid as error:
            raise BoardInvalid(f"/bounds{error.pointer}", "bounds_invalid", str(error)) from error

    def _season(self) -> str:
        if not self.season:
            if Period.SEASON in self.periods:
                told = "the period season needs a cron expression, as 0 4 1 * *"
                raise BoardInvalid("/season", "season_missing", told)
            return ""
        if Period.SEASON not in self.periods:
            told = "a board that has a season keeps the period season; add it"
            raise BoardInvalid("/periods", "season_unused", told)
        try:
            return seasons.cron_of(self.season)
        except seasons.SeasonInvalid as error:
            raise BoardInvalid("/season", "season_invalid", str(error)) from error


def definition_of(game_id: str, given: Mapping[str, Any]) -> Definition:
    """The board that plain values say; numbers in them are int or Decimal. Raises BoardInvalid."""
    try:
        board = BoardIn.model_validate(dict(given))
        _game_id.validate_python(game_id)
    except ValidationError as error:
        first = error.errors()[0]
        where = first["loc"] or ("game_id",)
        pointer = pointers.joined(*map(str, where))
        raise BoardInvalid(pointer, first["type"], first["msg"]) from error
    return board.definition(game_id)


def definition_of_text(game_id: str, text: str) -> Definition:
    """The board that `as_json` told. Raises BoardInvalid."""
    return definition_of(game_id, _exact.decode(text))


def typed(name: str, text: str) -> Any:
    """A filter or bounds as somebody typed them, JSON or nothing. Raises BoardInvalid."""
    try:
        return _exact.decode(text.strip() or "{}")
    except (msgspec.DecodeError, ArithmeticError, RecursionError) as error:
        raise BoardInvalid(f"/{name}", "invalid_json", f"no JSON that we take: {error}") from error


def told(definition: Definition) -> dict[str, Any]:
    """The board as it is said, without its game; decimals are exact."""
    (pointer,) = {scoring.pointer for scoring in definition.scoring.values()}
    where = definition.where
    return {
        "name": definition.name,
        "event_types": sorted(definition.scoring),
        "score": pointer,
        "where": {} if where is None else _exact.decode(where.text),
        "operator": definition.operator.value,
        "order": definition.order.value,
        "periods": [period.value for period in definition.periods],
        "season": definition.season,
        "timezone": definition.timezone,
        "bounds": {} if definition.bounds is None else definition.bounds.told(),
    }


def as_json(definition: Definition) -> str:
    """`told`, as text."""
    return _told.encode(told(definition)).decode()
