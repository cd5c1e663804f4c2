"""Player statistics, as an operator sees them."""

from __future__ import annotations

from django.contrib import admin

from apps.operations.columns import json_column, link_column, moment_column
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch
from apps.stats.models import PlayerStatistics

PLAYER = link_column("player_id", "stats.playerstatistics", {"player": "player_id"}, "player")
GAME = link_column("game_id", "stats.playerstatistics", {"game": "game_id"}, "game")
EVENTS = link_column(
    "total_events", "events.event", {"player": "player_id", "game": "game_id"}, "total events"
)


@admin.register(PlayerStatistics)
class PlayerStatisticsAdmin(ReadOnlyAdmin):
    """The newest players first. Who is busiest is a board of its own, with the operator count."""

    list_order = Keyset(fields=("id",), descending=True)
    searches = (
        IndexedSearch(
            words={"player": "player_id", "game": "game_id"},
            order=Keyset(fields=("player_id", "game_id")),
        ),
        IndexedSearch(
            words={"game": "game_id"},
            order=Keyset(fields=("id",), descending=True),
        ),
    )
    bare_words = ("player",)
    bare_meaning = "Text alone is a player's id."
    payloads = ("event_breakdown",)
    list_display = (
        "id",
        PLAYER,
        GAME,
        EVENTS,
        moment_column("first_event_at"),
        moment_column("last_event_at"),
        moment_column("updated_at"),
    )
    sections = (
        (None, ("id", PLAYER, GAME, EVENTS, json_column("event_breakdown"))),
        (
            "Times and version",
            (
                moment_column("first_event_at"),
                moment_column("last_event_at"),
                moment_column("created_at"),
                moment_column("updated_at"),
                "version",
            ),
        ),
    )
