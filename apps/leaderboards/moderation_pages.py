"""The admin's own pages of fair play: each act asks for a reason, and is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.leaderboards.acts import BoardUnknown, Said
from apps.leaderboards.models import ModerationAct
from apps.leaderboards.moderation import ActConflict, ActUnknown, ScoreUnknown
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.read_only import ReadOnlyAdmin

if TYPE_CHECKING:
    _Admin = ReadOnlyAdmin
else:
    _Admin = object
_REFUSED: Final = (BoardUnknown, ActUnknown, ScoreUnknown, ActConflict, LogBehind, CacheUnavailable)
# Does it to the selected rows.
Do = Callable[[Sequence[Any], Said], Sequence[ModerationAct | None]]


class ModerationPages(_Admin):
    """Mixed into an admin; `deeds` are what may be done with its rows: title and what does it."""

    deeds: dict[str, tuple[str, Do]]

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.act_page)
        name = f"leaderboards_{self.opts.model_name}_act"
        return [path("act/<str:deed>/", page, name=name), *super().get_urls()]

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leaderboards.moderate")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = dict(super().get_actions(request))
        if self.has_moderate_permission(request):
            for name, (title, _) in self.deeds.items():
                found[name] = (_opener(name), name, f"{title} the selected…")
        return found

    def act_page(self, request: HttpRequest, deed: str) -> HttpResponse:
        """Carries it out for the chosen rows, as many as a page of the list shows."""
        if not self.has_moderate_permission(request) or deed not in self.deeds:
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)[: self.list_per_page]
        rows = list(self.model._default_manager.filter(pk__in=filter(str.isdigit, chosen)))
        reason = request.POST.get("reason", "").strip()[:1_000]
        if not reason:
            return self.reason_form(request, deed, rows)
        said = Said(by=str(request.user.get_username()), reason=reason)
        try:
            acts = self.deeds[deed][1](rows, said)
        except _REFUSED as error:
            return self.reason_form(request, deed, rows, problem=error)
        done = sum(act is not None for act in acts)
        messages.info(request, f"{done} done of {len(rows)} selected.")
        return HttpResponseRedirect(reverse(self._list))

    def reason_form(
        self,
        request: HttpRequest,
        deed: str,
        rows: Sequence[models.Model],
        problem: Exception | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": f"{self.deeds[deed][0]} {len(rows)} selected",
            "verb": self.deeds[deed][0],
            "rows": rows,
            "checkbox": ACTION_CHECKBOX_NAME,
            "problem": problem,
            "list": reverse(self._list),
            "address": reverse(f"admin:leaderboards_{self.opts.model_name}_act", args=(deed,)),
        }
        return TemplateResponse(request, "leaderboards/act.html", context)

    @property
    def _list(self) -> str:
        return f"admin:leaderboards_{self.opts.model_name}_changelist"


def _opener(name: str) -> Callable[..., HttpResponse]:
    def opened(
        pages: ModerationPages, request: HttpRequest, rows: models.QuerySet[Any]
    ) -> HttpResponse:
        return pages.reason_form(request, name, list(rows[: pages.list_per_page]))

    return opened
