"""Builds of boards, as an operator sees them."""

from __future__ import annotations

from django.contrib import admin

from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.build_pages import BuildPages
from apps.operations.columns import (
    ABSENT,
    block_column,
    moment_column,
    preformatted,
    text_column,
)
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin


@admin.display(description="report")
def difference(build: BoardBuild) -> str:
    """As PostgreSQL indents it; none before it is built."""
    text = getattr(build, "report_text", None)
    return preformatted(text) if text else ABSENT


@admin.register(BoardBuild)
class BoardBuildAdmin(BuildPages, ReadOnlyAdmin):
    """Rebuilds and changes, the newest first; a change that is ready waits to be switched."""

    list_order = Keyset(fields=("id",), descending=True)
    payloads = ("report", "stale")
    list_display = (
        "id",
        text_column("game_id", "game"),
        text_column("board"),
        "state",
        text_column("asked_by"),
        "events",
        "refused",
        "changed",
        moment_column("created_at"),
        moment_column("switched_at"),
    )
    sections = (
        (None, (*list_display, "approved", text_column("reason"), text_column("error"))),
        (
            "What it makes, and what that changes",
            (block_column("definition"), difference),
        ),
    )
