"""Boards and their entries, as an operator sees them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html, format_html_join

from apps.leaderboards.board_pages import BoardPages
from apps.leaderboards.board_versions import versions
from apps.leaderboards.build_admin import BoardBuildAdmin as BoardBuildAdmin
from apps.leaderboards.models import Board, Entry
from apps.leaderboards.moderation_admin import hide, hide_everywhere
from apps.leaderboards.moderation_pages import ModerationPages
from apps.operations.columns import (
    ABSENT,
    decimal_column,
    link_column,
    moment,
    moment_column,
    preformatted,
    text_column,
    visible,
)
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch

ENTRIES = "leaderboards.entry"
PLAYER = link_column("player_id", ENTRIES, {"player": "player_id"}, "player")
GAME = link_column("game_id", ENTRIES, {"game": "game_id"}, "game")
SCORE = decimal_column("score")
BOARD = link_column("board", ENTRIES, {"game": "game_id", "board": "board"})
PERIOD = link_column("period", ENTRIES, {"game": "game_id", "board": "board", "period": "period"})


@admin.display(description="versions")
def history(board: Board) -> str:
    """Who defined it how and why; the newest first."""
    entries = (
        (
            moment(found.created_at),
            found.version,
            visible(found.changed_by or ABSENT),
            visible(f": {found.reason}" if found.reason else ""),
            preformatted(found.definition),
        )
        for found in versions(board)
    )
    listed = format_html_join("", "<li>{} <strong>version {}</strong> by {}{}{}</li>", entries)
    return format_html('<ul class="history">{}</ul>', listed) if listed else ABSENT


@admin.register(Board)
class BoardAdmin(BoardPages, ReadOnlyAdmin):
    """Declared boards; the default board of a game is declared nowhere."""

    change_list_template = "leaderboards/change_list.html"
    change_form_template = "leaderboards/board.html"

    list_order = Keyset(fields=("game_id", "name"))
    searches = (IndexedSearch(words={"game": "game_id", "name": "name"}, order=list_order),)
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    list_display = (
        text_column("name"),
        link_column("game_id", "leaderboards.board", {"game": "game_id"}, "game"),
        "operator",
        "order",
        "score",
        "event_types",
        "periods",
        "timezone",
        moment_column("created_at"),
    )
    sections = (
        (
            None,
            (
                text_column("name"),
                GAME,
                link_column("name", ENTRIES, {"game": "game_id", "board": "name"}, "entries"),
                "operator",
                "order",
                "score",
                "event_types",
                text_column("where"),
                text_column("bounds"),
                "periods",
                text_column("season"),
                "timezone",
                "version",
                moment_column("created_at"),
            ),
        ),
        ("History", (history,)),
    )


@admin.register(Entry)
class EntryAdmin(ModerationPages, ReadOnlyAdmin):
    """The newest first; of one game, board or period, in the order in which they came in."""

    deeds = {
        "hide": ("Hide on their boards the players of", hide),
        "hide_everywhere": ("Hide on all boards the players of", hide_everywhere),
    }
    list_order = Keyset(fields=("id",), descending=True)
    searches = (
        IndexedSearch(
            words={"player": "player_id", "game": "game_id"},
            narrowing={"board": "board", "period": "period"},
            order=Keyset(fields=("game_id", "id")),
        ),
        # Not by rank: an index of what updates change would be written with every score.
        IndexedSearch(
            words={"game": "game_id", "board": "board", "period": "period"},
            order=Keyset(fields=("game_id", "board", "period", "period_start", "id")),
        ),
    )
    bare_words = ("player",)
    bare_meaning = "Text alone is a player's id."
    list_display = (
        "id",
        PLAYER,
        SCORE,
        GAME,
        BOARD,
        PERIOD,
        moment_column("period_start"),
        moment_column("achieved_at"),
    )
    sections = (
        (None, ("id", PLAYER, SCORE, GAME, BOARD, PERIOD)),
        (
            "Rank and times",
            (
                decimal_column("rank_key"),
                moment_column("period_start"),
                moment_column("achieved_at"),
                "moved",
                "version",
                moment_column("created_at"),
                moment_column("updated_at"),
            ),
        ),
    )
