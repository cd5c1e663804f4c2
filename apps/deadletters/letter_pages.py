"""The admin's own pages of dead letters: replay, edit, discard, and all that match a filter."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.contract.envelope import EventInvalid
from apps.deadletters import actions, jobs
from apps.deadletters.actions import ActionRefused
from apps.deadletters.forms import BulkForm
from apps.deadletters.jobs import JobRefused
from apps.deadletters.models import DeadLetter
from apps.deadletters.replayable import indented
from apps.deadletters.selection import SelectionTooWide
from apps.operations.columns import heading, preformatted
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import SearchRefused, find

if TYPE_CHECKING:
    _Admin = ReadOnlyAdmin
else:
    _Admin = object

LIST = "admin:deadletters_deadletter_changelist"
ONE = "admin:deadletters_deadletter_change"
JOB = "admin:deadletters_deadletterjob_change"


class LetterPages(_Admin):
    """Mixed into the admin of dead letters."""

    actions = ("replay_selected", "discard_selected")

    def get_urls(self) -> list[URLPattern]:
        pages: tuple[tuple[str, Callable[..., HttpResponse]], ...] = (
            ("replay", self.replay_page),
            ("edit", self.edit_page),
            ("discard", self.discard_page),
            ("reopen", self.reopen_page),
        )
        view = self.admin_site.admin_view
        own = [
            path(f"<int:letter>/{name}/", view(page), name=f"deadletters_deadletter_{name}")
            for name, page in pages
        ]
        several = [
            path("bulk/", view(self.bulk_page), name="deadletters_deadletter_bulk"),
            path("discard/", view(self.discard_page), name="deadletters_deadletter_discard_all"),
        ]
        return [*own, *several, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"bulk_query": urlencode(self._shown_filter(request))}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def _shown_filter(self, request: HttpRequest) -> dict[str, str]:
        """What the list is narrowed to, as far as a bulk action can be as well."""
        found: dict[str, Any] = {"consumer_service": request.GET.get("consumer_service")}
        with suppress(SearchRefused):
            text = request.GET.get("q", "")
            found |= find(self.model, self.searches, self.bare_words, text).conditions
        return {
            name: str(value) for name, value in found.items() if value and name in BulkForm.FILTERS
        }

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deadletters.replay_deadletter")

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deadletters.edit_deadletter")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deadletters.discard_deadletter")

    @admin.action(description="Replay the selected", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, rows: models.QuerySet[DeadLetter]) -> None:
        # As many as a page shows, whatever the request says of "all".
        ids = list(rows.values_list("pk", flat=True)[: self.list_per_page])
        released = actions.replay(ids, by=_who(request))
        messages.info(request, f"{released} of {len(ids)} dead letters are replaying.")

    @admin.action(description="Discard the selected", permissions=["discard"])
    def discard_selected(
        self, request: HttpRequest, rows: models.QuerySet[DeadLetter]
    ) -> HttpResponse:
        ids = list(rows.values_list("pk", flat=True)[: self.list_per_page])
        return self._discard_form(request, ids)

    def replay_page(self, request: HttpRequest, letter: int) -> HttpResponse:
        _require(self.has_replay_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return self._done(
            request, letter, lambda by: actions.replay_one(letter, by=by), "It is replaying."
        )

    def reopen_page(self, request: HttpRequest, letter: int) -> HttpResponse:
        _require(self.has_discard_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return self._done(
            request, letter, lambda by: actions.reopen(letter, by=by), "It is open again."
        )

    def discard_page(self, request: HttpRequest, letter: int | None = None) -> HttpResponse:
        """Asks for a reason, and then closes one letter, or those that were selected."""
        _require(self.has_discard_permission(request))
        chosen = [letter] if letter else _numbers(request.POST.getlist(ACTION_CHECKBOX_NAME))
        if request.method != "POST" or not request.POST.get("reason", "").strip():
            return self._discard_form(request, chosen)
        reason = request.POST["reason"].strip()
        if letter:
            return self._done(
                request,
                letter,
                lambda by: actions.discard_one(letter, by=by, reason=reason),
                "It is discarded.",
            )
        closed = actions.discard(chosen, by=_who(request), reason=reason)
        messages.info(request, f"{closed} of {len(chosen)} dead letters are discarded.")
        return HttpResponseRedirect(reverse(LIST))

    def edit_page(self, request: HttpRequest, letter: int) -> HttpResponse:
        """The event as text; refused with field and rule unless it is valid."""
        _require(self.has_edit_permission(request))
        found = get_object_or_404(DeadLetter, pk=letter)
        again = "replay" in request.POST
        _require(not again or self.has_replay_permission(request))
        held = found.raw if found.edited is None else found.edited
        text, problem = indented(bytes(held)), None
        if request.method == "POST":
            text = request.POST.get("event", "")
            try:
                actions.edit(letter, text.encode("utf-8", "replace"), by=_who(request))
                if again:
                    actions.replay_one(letter, by=_who(request))
                messages.info(request, "It is edited and replaying." if again else "It is edited.")
                return HttpResponseRedirect(reverse(ONE, args=(letter,)))
            except (EventInvalid, ActionRefused) as error:
                problem = error
        return self._page(
            request,
            "edit",
            f"Edit dead letter {letter}",
            letter=found,
            subtitle=heading(found),
            original_text=preformatted(indented(bytes(found.raw))),
            text=text,
            problem=problem,
            may_replay=self.has_replay_permission(request),
        )

    def bulk_page(self, request: HttpRequest) -> HttpResponse:
        """A filter, its dry run, and then the job. The count is shown before anything is done."""
        _require(self.has_replay_permission(request) or self.has_discard_permission(request))
        if request.method != "POST":
            form = BulkForm(initial={"per_second": jobs.DEFAULT_RATE, **request.GET.dict()})
            return self._page(request, "bulk", "Replay or discard all that match", form=form)
        form = BulkForm(request.POST)
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            chosen, given = form.cleaned_data["action"], form.selection()
            _require(getattr(self, f"has_{chosen}_permission")(request))
            counted = json.dumps([chosen, given.as_json()], sort_keys=True)
            try:
                # What is confirmed is what was counted, not a filter that changed since.
                if "confirm" in request.POST and request.POST.get("counted") == counted:
                    job = jobs.start(
                        chosen,
                        given,
                        by=_who(request),
                        now=datetime.now(UTC),
                        per_second=form.cleaned_data["per_second"],
                        reason=form.cleaned_data["reason"],
                    )
                    return HttpResponseRedirect(reverse(JOB, args=(job.pk,)))
                context |= {
                    "count": given.count(chosen),
                    "counted": counted,
                    "chosen": chosen,
                    "everything": given.is_everything,
                }
            except (JobRefused, SelectionTooWide) as error:
                context["problem"] = error
        return self._page(request, "bulk", "Replay or discard all that match", **context)

    def _discard_form(self, request: HttpRequest, chosen: list[int]) -> HttpResponse:
        rows = DeadLetter.objects.filter(pk__in=chosen).only(
            "consumer_service", "cause", "partition", "offset", "state"
        )
        return self._page(
            request,
            "discard",
            "Discard dead letters",
            rows=[(row.pk, heading(row), row.state) for row in rows.order_by("-id")],
            checkbox=ACTION_CHECKBOX_NAME,
        )

    def _done(
        self, request: HttpRequest, letter: int, deed: Callable[[str], None], word: str
    ) -> HttpResponse:
        try:
            deed(_who(request))
            messages.info(request, word)
        except ActionRefused as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse(ONE, args=(letter,)))

    def _page(self, request: HttpRequest, name: str, title: str, **context: Any) -> HttpResponse:
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        template = f"deadletters/{name}.html"
        return TemplateResponse(request, template, {**shown, "title": title, **context})


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isdecimal() and len(text) < 19]


def _require(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied


def _who(request: HttpRequest) -> str:
    return str(request.user.get_username())
