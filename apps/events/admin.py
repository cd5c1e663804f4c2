"""The event log, as an operator sees it."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.events.models import Event
from apps.operations.columns import (
    json_column,
    link_column,
    moment_column,
    search_link,
    text_column,
)
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch

# The ids that we issue are UUIDv7: the newest first. A client's own may be of any version.
NEWEST_ID = Keyset(fields=("event_id",), descending=True)


@admin.display(description="see also")
def see_also(event: Event) -> SafeString:
    player, game = event.player_id, event.game_id
    links = (
        search_link(
            "dead letters of this event", "deadletters.deadletter", event=str(event.event_id)
        ),
        search_link("statistics of the player", "stats.playerstatistics", player=player, game=game),
        search_link("the player's entries", "leaderboards.entry", player=player),
        search_link("the game's boards", "leaderboards.board", game=game),
    )
    return format_html_join(" · ", "{}", ((link,) for link in links))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """By id, by player in order of time, by game and type."""

    list_order = NEWEST_ID
    searches = (
        IndexedSearch(words={"event": "event_id"}, order=NEWEST_ID),
        IndexedSearch(
            words={"player": "player_id"},
            narrowing={"game": "game_id", "type": "event_type"},
            order=Keyset(fields=("event_timestamp", "event_id"), descending=True),
        ),
        IndexedSearch(words={"game": "game_id", "type": "event_type"}, order=NEWEST_ID),
    )
    bare_words = ("event", "player")
    bare_meaning = "A UUID alone is an event's id, other text a player's."
    payloads = ("data",)
    list_display = (
        "event_id",
        link_column("event_type", "events.event", {"game": "game_id", "type": "event_type"}),
        link_column("player_id", "events.event", {"player": "player_id"}, "player"),
        link_column("game_id", "events.event", {"game": "game_id"}, "game"),
        moment_column("event_timestamp"),
        moment_column("ingested_at"),
    )
    sections = (
        (
            None,
            (
                "event_id",
                text_column("event_type"),
                link_column("player_id", "events.event", {"player": "player_id"}, "player"),
                link_column("game_id", "events.event", {"game": "game_id"}, "game"),
                json_column("data"),
                see_also,
            ),
        ),
        (
            "Times and envelope",
            (
                moment_column("event_timestamp"),
                moment_column("sent_at"),
                moment_column("ingested_at"),
                moment_column("created_at"),
                text_column("event_version"),
                text_column("session_id"),
            ),
        ),
    )
