"""The admin's own page of boards: declaring one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.leaderboards.board_form import BoardForm
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.changes import BuildPending, declare_or_ask
from apps.leaderboards.declaration import BoardConflict
from apps.leaderboards.models import Board
from apps.ledger.coverage import LogBehind
from apps.operations.read_only import ReadOnlyAdmin

if TYPE_CHECKING:
    _Admin = ReadOnlyAdmin
else:
    _Admin = object


class BoardPages(_Admin):
    """Mixed into the admin of boards."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.declare_page)
        return [path("declare/", page, name="leaderboards_board_declare"), *super().get_urls()]

    def has_declare_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leaderboards.declare_board")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_declare": self.has_declare_permission(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        may_declare = self.has_declare_permission(request)
        context |= {"original_board": kwargs["obj"], "may_declare": may_declare}
        return super().render_change_form(request, context, *args, **kwargs)

    def declare_page(self, request: HttpRequest) -> HttpResponse:
        """The form, and what becomes of it; the same as a declaration over HTTP."""
        if not self.has_declare_permission(request):
            raise PermissionDenied
        form = BoardForm(request.POST or None)
        problem: Exception | None = None
        if request.method == "POST" and form.is_valid():
            declared = form.definition
            try:
                new = declare_or_ask(
                    declared,
                    by=str(request.user.get_username()),
                    reason=form.cleaned_data["reason"],
                )
            except (BoardConflict, BuildPending, LogBehind) as error:
                problem = error
            else:
                if isinstance(new, BoardBuild):
                    messages.info(request, "It waits for `manage.py board build`.")
                    address = reverse("admin:leaderboards_boardbuild_change", args=(new.pk,))
                    return HttpResponseRedirect(address)
                told = "It is declared." if new else "It was declared so already."
                messages.info(request, told)
                board = Board.objects.get(game_id=declared.game_id, name=declared.name)
                address = reverse("admin:leaderboards_board_change", args=(board.pk,))
                return HttpResponseRedirect(address)
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        context = {**shown, "title": "Declare a board", "form": form, "problem": problem}
        return TemplateResponse(request, "leaderboards/declare.html", context)
