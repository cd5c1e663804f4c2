"""A column type that Django lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _DecimalField = models.DecimalField[Any, Any]  # generic in the stubs alone
else:
    _DecimalField = models.DecimalField


class ExactDecimalField(_DecimalField):
    """PostgreSQL's `numeric` without a scale: what is written is read, to the last digit.

    Django's own asks for a fixed number of decimal places and would round to it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 120)
        kwargs.setdefault("decimal_places", 40)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str:
        return "numeric"
