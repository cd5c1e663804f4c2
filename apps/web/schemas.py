"""What the operations of the API share in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from ninja import Schema
from pydantic import Field

from apps.contract.envelope import EVENT_TYPE

# Control characters are in no id that was accepted, and PostgreSQL takes no NUL.
_READABLE: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
PlayerId = Annotated[str, Field(min_length=1, max_length=512, pattern=_READABLE)]
GameId = Annotated[str, Field(min_length=1, max_length=128, pattern=_READABLE)]
EventType = Annotated[str, Field(pattern=f"^{EVENT_TYPE}$")]
# Of what a studio declares.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class Refusal(Schema):
    """Why a request was refused; `pointer` names the parameter or the place in the body."""

    status: Literal["error"]
    error: str
    code: str
    pointer: str
