"""What every list and page of the operators' admin has in common: it shows and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import F, Func
from django.http import HttpRequest, HttpResponse

from apps.operations.changelist import KeysetChangeList
from apps.operations.columns import Column, heading
from apps.operations.filters import StaticFilter
from apps.operations.keyset import Keyset
from apps.operations.search import IndexedSearch

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]  # generic in the stubs alone
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    """An admin without add, change and delete, for superusers too.

    `list_order` and `searches` are the only orders and conditions its list knows. `payloads` are
    the `jsonb` columns: lists leave them where they are, and a page shows PostgreSQL's own text of
    them as `<name>_text`, because Python's floats would round and its integers have a limit.
    `bulky` are other columns that lists leave out. `sections` are the titled parts of a page.
    """

    list_order: Keyset
    searches: tuple[IndexedSearch, ...] = ()
    bare_words: tuple[str, ...] = ()
    bare_meaning: str = ""
    payloads: tuple[str, ...] = ()
    bulky: tuple[str, ...] = ()

    static_filters: tuple[type[StaticFilter], ...] = ()
    sections: tuple[tuple[str | None, tuple[str | Column, ...]], ...]

    list_per_page = 100
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    change_list_template = "operations/change_list.html"
    change_form_template = "operations/change_form.html"

    class Media:
        css = {"all": ("operations/admin.css",)}  # noqa: RUF012  Django reads a plain dict

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only the declared filters: Django would take any column and any lookup from the URL."""
        return lookup in {declared.parameter_name for declared in self.static_filters}

    def get_list_filter(self, request: HttpRequest) -> tuple[type[StaticFilter], ...]:
        return self.static_filters

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer(*self.payloads, *self.bulky)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> models.Model | None:
        texts = {
            f"{name}_text": Func(F(name), function="jsonb_pretty", output_field=models.TextField())
            for name in self.payloads
        }
        rows = super().get_queryset(request).defer(*self.payloads).annotate(**texts)
        try:
            found: models.Model = rows.get(pk=self.opts.pk.to_python(object_id))
        except (self.model.DoesNotExist, ValidationError):
            return None
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(title, {"fields": fields}) for title, fields in self.sections]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [field for _, fields in self.sections for field in fields]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        shown = {**context, "original": heading(obj), "subtitle": heading(obj)}
        return super().render_change_form(request, shown, add, change, form_url, obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": str(self.opts.verbose_name_plural).capitalize(),
            "usages": [search.usage for search in self.searches],
            "bare_meaning": self.bare_meaning,
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})
