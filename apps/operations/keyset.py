"""Pages by key: each costs its own rows, however deep it lies.

OFFSET reads and throws away every row before the page, and a count reads the whole table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import F, Func, Value

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=models.Model)


class CursorInvalid(Exception):
    """The page's cursor was not issued for this list."""


def columns(model: type[models.Model], names: Iterable[str]) -> list[models.Field[Any, Any]]:
    """The model's fields of these names. Raises KeyError for any other name."""
    named = {field.name: field for field in model._meta.concrete_fields}
    return [named[name] for name in names]


class _RowComparison(Func):
    """`(a, b) < (x, y)`: PostgreSQL starts the index scan at that very row.

    The same condition spelt with OR starts it at `a <= x` and filters from there.
    """

    output_field = models.BooleanField()

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *_: Any,
        **__: Any,
    ) -> tuple[str, tuple[str | int, ...]]:
        compiled = [compiler.compile(part) for part in self.get_source_expressions()]
        middle = len(compiled) // 2
        columns = ", ".join(sql for sql, _ in compiled[:middle])
        values = ", ".join(sql for sql, _ in compiled[middle:])
        parameters = tuple(value for _, part in compiled for value in part)
        return f"({columns}) {self.extra['operator']} ({values})", parameters


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """Where a page starts; without a key, at that end of the list."""

    backwards: bool = False
    key: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Row]):
    """Rows in the list's order, and the cursors of the pages around them."""

    rows: list[Row]
    before: Cursor | None
    after: Cursor | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyset:
    """The total order of a list.

    The fields are NOT NULL, unique together, and in one direction, which is what makes a row
    comparison possible; an index on the first of them makes it cheap.
    """

    fields: tuple[str, ...]
    descending: bool = False

    def ordering(self, *, backwards: bool = False) -> list[str]:
        sign = "-" if self.descending != backwards else ""
        return [f"{sign}{name}" for name in self.fields]

    def encode(self, model: type[models.Model], cursor: Cursor) -> str:
        """The cursor as text for a URL."""
        return signing.dumps([cursor.backwards, cursor.key], salt=self._salt(model), compress=True)

    def decode(self, model: type[models.Model], text: str) -> Cursor:
        """The cursor of `encode`; signed, so that no key but ours meets the database."""
        try:
            backwards, key = signing.loads(text, salt=self._salt(model))
        except signing.BadSignature as error:
            raise CursorInvalid from error
        return Cursor(backwards=backwards, key=key and tuple(key))

    def page(self, queryset: models.QuerySet[Row], cursor: Cursor, *, size: int) -> Page[Row]:
        """At most `size` rows from the cursor on; one more is read to know whether more follow."""
        ordered = queryset.order_by(*self.ordering(backwards=cursor.backwards))
        if cursor.key is not None:
            ordered = ordered.filter(self._beyond(queryset.model, cursor))
        read = list(ordered[: size + 1])
        more, rows = len(read) > size, read[:size]
        if cursor.backwards:
            rows.reverse()
        turned_back = cursor.key is not None
        has_before, has_after = (more, turned_back) if cursor.backwards else (turned_back, more)
        return Page(
            rows=rows,
            before=self._at(rows[0], backwards=True) if rows and has_before else None,
            after=self._at(rows[-1], backwards=False) if rows and has_after else None,
        )

    def _at(self, row: models.Model, *, backwards: bool) -> Cursor:
        fields = columns(type(row), self.fields)
        return Cursor(
            backwards=backwards, key=tuple(field.value_to_string(row) for field in fields)
        )

    def _beyond(self, model: type[models.Model], cursor: Cursor) -> _RowComparison:
        try:
            values = [
                Value(field.to_python(text), output_field=field)
                for field, text in zip(columns(model, self.fields), cursor.key or (), strict=True)
            ]
        except (ValidationError, ValueError) as error:
            raise CursorInvalid from error
        return _RowComparison(
            *map(F, self.fields),
            *values,
            operator="<" if self.descending != cursor.backwards else ">",
        )

    def _salt(self, model: type[models.Model]) -> str:
        return f"keyset:{model._meta.label}:{','.join(self.ordering())}"
