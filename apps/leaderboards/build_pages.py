"""The admin's own pages of builds: asking for a change of a board, switching and cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.leaderboards import changes, selectors
from apps.leaderboards.board_form import BoardForm
from apps.leaderboards.board_schema import as_json
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.changes import BuildPending, BuildSettled, NothingToChange
from apps.leaderboards.models import Board
from apps.operations.read_only import ReadOnlyAdmin

if TYPE_CHECKING:
    _Admin = ReadOnlyAdmin
else:
    _Admin = object
DECLARE = "leaderboards.declare_board"


class BuildPages(_Admin):
    """Mixed into the admin of builds; whoever may declare boards may change them."""

    change_form_template = "leaderboards/build.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("of/<int:key>/", view(self.ask_page), name="leaderboards_boardbuild_ask"),
            path(
                "<int:key>/switch/", view(self.switch_page), name="leaderboards_boardbuild_switch"
            ),
            path(
                "<int:key>/cancel/", view(self.cancel_page), name="leaderboards_boardbuild_cancel"
            ),
            *super().get_urls(),
        ]

    def ask_page(self, request: HttpRequest, key: int) -> HttpResponse:
        """The board as it is, to be said otherwise; nothing changes before it is switched."""
        _demand(request)
        board = get_object_or_404(Board, pk=key)
        form = BoardForm(request.POST or None, initial=_initial(board))
        problem: Exception | None = None
        if request.method == "POST" and form.is_valid():
            wanted = form.definition
            if (wanted.game_id, wanted.name) != (board.game_id, board.name):
                form.add_error("name", "A board keeps its game and its name.")
            else:
                who, why = str(request.user.get_username()), form.cleaned_data["reason"]
                try:
                    build = changes.ask(wanted, by=who, reason=why)
                except (NothingToChange, BuildPending) as error:
                    problem = error
                else:
                    return self._told(request, changes.run_soon(build))
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        context = {**shown, "title": f"Change {board.name}", "form": form, "problem": problem}
        return TemplateResponse(request, "leaderboards/change.html", context)

    def switch_page(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._do(request, key, lambda build: changes.run_soon(changes.approve(build)))

    def cancel_page(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._do(request, key, changes.cancel)

    def _do(self, request: HttpRequest, key: int, do: Callable[[int], BoardBuild]) -> HttpResponse:
        _demand(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        build = get_object_or_404(BoardBuild, pk=key)
        try:
            build = do(build.pk)
        except BuildSettled as error:
            messages.error(request, str(error))
        return self._told(request, build)

    def _told(self, request: HttpRequest, build: BoardBuild) -> HttpResponse:
        waits = build.state == BoardBuild.ASKED
        told = "It waits for `manage.py board build`." if waits else f"It is {build.state}."
        messages.info(request, told)
        return HttpResponseRedirect(
            reverse("admin:leaderboards_boardbuild_change", args=(build.pk,))
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        build: BoardBuild = kwargs["obj"]
        pending = bool(build.definition) and build.state in changes.PENDING
        context |= {
            "build": build,
            "may_settle": pending and request.user.has_perm(DECLARE),
            "may_switch": pending and not build.approved,
        }
        return super().render_change_form(request, context, *args, **kwargs)


def _demand(request: HttpRequest) -> None:
    if not request.user.has_perm(DECLARE):
        raise PermissionDenied


def _initial(board: Board) -> dict[str, Any]:
    """The board as the form has it; decimals stay the text that they are."""
    said: dict[str, msgspec.Raw] = msgspec.json.decode(
        as_json(selectors.definition(board)), type=dict[str, msgspec.Raw]
    )
    texts = {name: bytes(said[name]).decode() for name in ("where", "bounds")}
    plain: dict[str, Any] = {
        name: msgspec.json.decode(value) for name, value in said.items() if name not in texts
    }
    types = " ".join(plain["event_types"])
    return {**plain, **texts, "game_id": board.game_id, "event_types": types}
