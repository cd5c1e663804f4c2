"""Statistics, as an operator sees them."""

from __future__ import annotations

from django.contrib import admin

from apps.operations.columns import json_column, link_column, moment_column, text_column
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch
from apps.stats.aggregate_models import StatDefinition
from apps.stats.aggregate_pages import AggregatePages
from apps.stats.models import (
    GameStatistics,
    GameStatisticsDaily,
    PlayerStatistics,
    PlayerStatisticsDaily,
    StatsBuild,
)

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
        "sessions",
        moment_column("first_event_at"),
        moment_column("last_event_at"),
        moment_column("updated_at"),
    )
    sections = (
        (None, ("id", PLAYER, GAME, EVENTS, "sessions", json_column("event_breakdown"))),
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


@admin.register(PlayerStatisticsDaily)
class PlayerStatisticsDailyAdmin(ReadOnlyAdmin):
    """The newest rows first; a search has a game's players in order, and a player's days."""

    list_order = Keyset(fields=("id",), descending=True)
    searches = (
        IndexedSearch(
            words={"game": "game_id", "player": "player_id", "day": "day"},
            order=Keyset(fields=("game_id", "player_id", "day")),
        ),
    )
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    payloads = ("event_breakdown",)
    list_display = ("id", PLAYER, GAME, "day", EVENTS, "sessions", moment_column("updated_at"))
    sections = (
        (None, ("id", PLAYER, GAME, "day", EVENTS, "sessions", json_column("event_breakdown"))),
        (
            "Times",
            (
                moment_column("first_event_at"),
                moment_column("last_event_at"),
                moment_column("created_at"),
                moment_column("updated_at"),
            ),
        ),
    )


@admin.register(GameStatistics)
class GameStatisticsAdmin(ReadOnlyAdmin):
    """Parts, as they are stored; the game's totals are their sums."""

    list_order = Keyset(fields=("id",), descending=True)
    searches = (
        IndexedSearch(words={"game": "game_id"}, order=Keyset(fields=("game_id", "shard"))),
    )
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    list_display = ("id", GAME, "shard", "total_events", "players")
    sections = ((None, list_display),)


@admin.register(GameStatisticsDaily)
class GameStatisticsDailyAdmin(ReadOnlyAdmin):
    """Parts, as they are stored; a day's totals are their sums."""

    list_order = Keyset(fields=("id",), descending=True)
    searches = (
        IndexedSearch(
            words={"game": "game_id", "day": "day"},
            order=Keyset(fields=("game_id", "day", "shard")),
        ),
    )
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    list_display = ("id", GAME, "day", "shard", "total_events", "active_players")
    sections = ((None, list_display),)


@admin.register(StatsBuild)
class StatsBuildAdmin(ReadOnlyAdmin):
    """Rebuilds, the newest first: `manage.py rebuild stats` makes them."""

    list_order = Keyset(fields=("id",), descending=True)
    list_display = (
        "id",
        text_column("game_id", "game"),
        "state",
        "events",
        "changed",
        moment_column("started_at"),
        moment_column("switched_at"),
    )
    sections = ((None, (*list_display, "backend_pid")),)


@admin.register(StatDefinition)
class StatDefinitionAdmin(AggregatePages, ReadOnlyAdmin):
    """Declared aggregates, each version of them; one of a name is current."""

    change_list_template = "stats/change_list.html"

    list_order = Keyset(fields=("game_id", "name", "version"))
    searches = (IndexedSearch(words={"game": "game_id", "name": "name"}, order=list_order),)
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    list_display = (
        text_column("name"),
        link_column("game_id", "stats.statdefinition", {"game": "game_id"}, "game"),
        "version",
        "current",
        "operator",
        text_column("pointer"),
        "event_types",
        text_column("changed_by"),
        moment_column("created_at"),
    )
    sections = ((None, (*list_display, text_column("reason"))),)
