"""Django's change list, by keyset and by indexed searches only."""

from __future__ import annotations

from typing import Any

import psycopg2.errors
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db import OperationalError, connections, models, transaction
from django.http import HttpRequest

from apps.operations.estimates import estimated_rows
from apps.operations.keyset import Cursor, CursorInvalid, Keyset, Page
from apps.operations.search import SearchRefused, find

# A filter that matches little in a long list may read much of it; events come first.
LIST_TIMEOUT_SECONDS = 5


class KeysetChangeList(ChangeList):
    """The list of a ReadOnlyAdmin. The page parameter carries a cursor instead of a number."""

    model_admin: Any
    keyset: Keyset
    unanswered: bool
    page: Page[Any]

    def get_ordering(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> list[Any]:
        """Fixed: another order has no index."""
        return self.keyset.ordering()

    def get_ordering_field_columns(self) -> dict[int, Any]:
        return {}

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> models.QuerySet[Any]:
        self.keyset = self.model_admin.list_order
        conditions: dict[str, Any] = {}
        self.unanswered = False
        if self.query.strip():
            try:
                found = find(
                    self.model, self.model_admin.searches, self.model_admin.bare_words, self.query
                )
                self.keyset, conditions = found.order, dict(found.conditions)
            except SearchRefused as refusal:
                messages.error(request, str(refusal))
                self.unanswered = True
        queryset = super().get_queryset(request, exclude_parameters)
        return queryset.none() if self.unanswered else queryset.filter(**conditions)

    def get_results(self, request: HttpRequest) -> None:
        cursor = self._cursor(request)
        self.page = self._read(request, cursor)
        self.result_list = self.page.rows
        self.result_count = len(self.page.rows)
        self.show_full_result_count = False
        self.full_result_count = None
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.at_first_page = cursor == Cursor() or self.page.before is None
        self.total = self._total()
        self.first_url = self.get_query_string()
        self.last_url = self._url(Cursor(backwards=True))
        self.previous_url = self.page.before and self._url(self.page.before)
        self.next_url = self.page.after and self._url(self.page.after)

    def _cursor(self, request: HttpRequest) -> Cursor:
        text = request.GET.get(PAGE_VAR)
        if not text:
            return Cursor()
        try:
            return self.keyset.decode(self.model, text)
        except CursorInvalid as error:
            raise IncorrectLookupParameters(error) from error

    def _read(self, request: HttpRequest, cursor: Cursor) -> Page[Any]:
        using = self.queryset.db
        try:
            with transaction.atomic(using=using):
                with connections[using].cursor() as settings:
                    settings.execute(f"SET LOCAL statement_timeout = '{LIST_TIMEOUT_SECONDS}s'")
                return self.keyset.page(self.queryset, cursor, size=self.list_per_page)
        except OperationalError as error:
            if not isinstance(error.__cause__, psycopg2.errors.QueryCanceled):
                raise
            messages.error(
                request, f"Given up after {LIST_TIMEOUT_SECONDS} s: too many rows to look through."
            )
            self.unanswered = True
            return Page(rows=[], before=None, after=None)

    def _total(self) -> str:
        """What can be said of the number of rows at the cost of one page."""
        whole = self.page.before is None and self.page.after is None
        if whole:
            return f"{self.result_count:,}"
        if not self.query.strip() and not self.has_active_filters:
            rows = estimated_rows(self.model, self.queryset.db)
            if rows is not None and rows > self.result_count:
                return f"about {rows:,}"
        return f"more than {self.result_count:,}"

    def _url(self, cursor: Cursor) -> str:
        return self.get_query_string({PAGE_VAR: self.keyset.encode(self.model, cursor)})
