"""The admin's own page of aggregates: declaring and changing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.ledger.builds import AnotherBuild
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.read_only import ReadOnlyAdmin
from apps.stats.aggregate_form import AggregateForm
from apps.stats.aggregate_models import StatDefinition
from apps.stats.declaration import (
    AggregateConflict,
    NoSuchAggregate,
    TooManyAggregates,
    change,
    declare,
)

if TYPE_CHECKING:
    _Admin = ReadOnlyAdmin
else:
    _Admin = object
_PROBLEMS = (
    *(AggregateConflict, NoSuchAggregate, TooManyAggregates),
    *(AnotherBuild, LogBehind, CacheUnavailable),
)


class AggregatePages(_Admin):
    """Mixed into the admin of definitions."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.declare_page)
        named = path("declare/", page, name="stats_statdefinition_declare")
        return [named, *super().get_urls()]

    def has_declare_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("stats.declare_aggregate")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_declare": self.has_declare_permission(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def declare_page(self, request: HttpRequest) -> HttpResponse:
        """The form, and what becomes of it; the same as a declaration over HTTP."""
        if not self.has_declare_permission(request):
            raise PermissionDenied
        form = AggregateForm(request.POST or None)
        problem: Exception | None = None
        if request.method == "POST" and form.is_valid():
            make = change if form.cleaned_data["change"] else declare
            reason = form.cleaned_data["reason"]
            try:
                made = make(form.definition, by=str(request.user.get_username()), reason=reason)
            except _PROBLEMS as error:
                problem = error
            else:
                told = f"It is filled from {made.events:,} events of the log."
                messages.info(request, told if made.new else "It was declared so already.")
                kept = StatDefinition.objects.get(
                    game_id=form.definition.game_id,
                    name=form.definition.name,
                    version=made.version,
                )
                address = reverse("admin:stats_statdefinition_change", args=(kept.pk,))
                return HttpResponseRedirect(address)
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        context = {**shown, "title": "Declare an aggregate", "form": form, "problem": problem}
        return TemplateResponse(request, "stats/declare.html", context)
