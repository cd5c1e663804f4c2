"""Filters whose choices are known without asking the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.http import HttpRequest


class StaticFilter(SimpleListFilter):
    """Equality with one of a fixed set of values; Django's own would SELECT DISTINCT them."""

    parameter_name: str
    values: tuple[str, ...]

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any] | None:
        value = self.value()
        if value is None:
            return None
        if value not in self.values:
            raise IncorrectLookupParameters(value)
        return queryset.filter(**{self.parameter_name: value})


def static_filter(column: str, title: str, values: Iterable[str]) -> type[StaticFilter]:
    """A filter on the column."""
    members = {"parameter_name": column, "title": title, "values": tuple(values)}
    return type(f"{column.title()}Filter", (StaticFilter,), members)
