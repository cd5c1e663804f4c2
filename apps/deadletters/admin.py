"""Dead letters: what could not be applied, why, the bytes as they came, and what may be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apps.contract.causes import UNREPLAYABLE
from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters import jobs, letter_columns
from apps.deadletters.jobs import JobRefused
from apps.deadletters.letter_columns import LETTERS
from apps.deadletters.letter_pages import JOB, LetterPages
from apps.deadletters.models import DeadLetter, DeadLetterJob
from apps.operations.columns import (
    block_column,
    bytes_column,
    json_column,
    link_column,
    moment_column,
    text_column,
)
from apps.operations.filters import static_filter
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch

NEWEST = Keyset(fields=("id",), descending=True)
CONSUMER = text_column("consumer_service", "consumer")
STATE = text_column("state")
CAUSE = link_column("cause", LETTERS, {"cause": "cause"})
PLAYER = link_column("player_id", LETTERS, {"player": "player_id"}, "player")
GAME = link_column("game_id", LETTERS, {"game": "game_id"}, "game")


@admin.register(DeadLetter)
class DeadLetterAdmin(LetterPages, ReadOnlyAdmin):
    """The newest first."""

    list_order = NEWEST
    searches = tuple(
        IndexedSearch(words={word: column}, order=NEWEST)
        for word, column in (
            ("event", "event_id"),
            ("player", "player_id"),
            ("game", "game_id"),
            ("cause", "cause"),
            ("job", "job"),
        )
    )
    bare_words = ("event", "player")
    bare_meaning = "A UUID alone is an event's id, other text a player's."
    payloads = ("original_event",)
    bulky = ("raw", "key", "headers", "error_message", "edited")
    change_list_template = "deadletters/change_list.html"
    change_form_template = "deadletters/change_form.html"
    list_display = (
        "id",
        CAUSE,
        CONSUMER,
        text_column("event_type"),
        PLAYER,
        GAME,
        STATE,
        letter_columns.coordinates,
        moment_column("created_at"),
    )
    static_filters = (
        static_filter("state", "state", DeadLetter.State.values),
        static_filter("consumer_service", "consumer", (BRIDGE, *map(str, Consumer))),
    )
    sections = (
        (
            None,
            (
                "id",
                STATE,
                CONSUMER,
                CAUSE,
                "exception",
                block_column("error_message"),
                moment_column("created_at"),
                letter_columns.replayed,
                link_column("job_id", LETTERS, {"job": "job_id"}, "job"),
                moment_column("next_retry_at", "next retry"),
                letter_columns.closed,
                letter_columns.letter_history,
            ),
        ),
        (
            "Event",
            (
                "event_id",
                text_column("event_type"),
                PLAYER,
                GAME,
                letter_columns.edited_event,
                json_column("original_event"),
                letter_columns.see_also,
            ),
        ),
        (
            "Message",
            (
                text_column("topic"),
                "topic_id",
                "partition",
                "offset",
                letter_columns.header_values,
                bytes_column("key"),
                bytes_column("raw"),
            ),
        ),
    )

    class Media:
        css = {"all": ("deadletters/letters.css",)}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        letter: DeadLetter = kwargs["obj"]
        is_open, has_bytes = letter.state == DeadLetter.State.OPEN, letter.cause not in UNREPLAYABLE
        context |= {
            "letter": letter,
            "may_replay": is_open and has_bytes and self.has_replay_permission(request),
            "may_edit": is_open and has_bytes and self.has_edit_permission(request),
            "may_discard": is_open and self.has_discard_permission(request),
            "may_reopen": letter.state == DeadLetter.State.DISCARDED
            and self.has_discard_permission(request),
        }
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(DeadLetterJob)
class DeadLetterJobAdmin(ReadOnlyAdmin):
    """Bulk replays and discards, the newest first."""

    list_order = NEWEST
    list_display = (
        "id",
        text_column("action"),
        text_column("state"),
        "released",
        "total",
        text_column("created_by"),
        moment_column("created_at"),
    )
    static_filters = (static_filter("state", "state", DeadLetterJob.State.values),)
    change_form_template = "deadletters/job.html"
    sections = (
        (
            None,
            (
                "id",
                text_column("action"),
                text_column("state"),
                "filter",
                text_column("reason"),
                "per_second",
                "total",
                "released",
                text_column("created_by"),
                moment_column("created_at"),
                moment_column("finished_at"),
                letter_columns.job_history,
            ),
        ),
    )

    class Media:
        css = {"all": ("deadletters/letters.css",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        deeds: dict[str, Callable[..., None]] = {
            "pause": jobs.pause,
            "resume": jobs.resume,
            "cancel": lambda job, *, by: jobs.cancel(job, by=by, now=datetime.now(UTC)),
        }
        own = [
            path(
                f"<int:job>/{name}/",
                view(self.change_page),
                {"deed": deed},
                name=f"deadletters_deadletterjob_{name}",
            )
            for name, deed in deeds.items()
        ]
        return [*own, *super().get_urls()]

    def change_page(
        self, request: HttpRequest, job: int, deed: Callable[..., None]
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        action = DeadLetterJob.objects.filter(pk=job).values_list("action", flat=True).first()
        if not _may_change(request, action):
            raise PermissionDenied
        try:
            deed(job, by=str(request.user.get_username()))
        except JobRefused as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse(JOB, args=(job,)))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        job: DeadLetterJob = kwargs["obj"]
        state = DeadLetterJob.State
        may_change = _may_change(request, job.action)
        progress = jobs.progress(job)
        context |= {
            "job": job,
            "progress": progress,
            "under_way": not progress.settled and job.state != state.PAUSED,
            "may_pause": may_change and job.state == state.RUNNING,
            "may_resume": may_change and job.state == state.PAUSED,
            "may_cancel": may_change and job.state in (state.RUNNING, state.PAUSED),
        }
        return super().render_change_form(request, context, *args, **kwargs)


def _may_change(request: HttpRequest, action: str | None) -> bool:
    return action is not None and bool(request.user.has_perm(f"deadletters.{action}_deadletter"))
