"""Dead letters: what could not be applied, why, and the bytes as they came."""

from __future__ import annotations

from base64 import b64decode

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters.models import DeadLetter
from apps.operations.columns import (
    ABSENT,
    block_column,
    bytes_column,
    json_column,
    link_column,
    moment_column,
    search_link,
    text_column,
    visible,
)
from apps.operations.filters import static_filter
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch

LETTERS = "deadletters.deadletter"
NEWEST = Keyset(fields=("id",), descending=True)
CONSUMER = text_column("consumer_service", "consumer")
STATE = text_column("state")
CAUSE = link_column("cause", LETTERS, {"cause": "cause"})
PLAYER = link_column("player_id", LETTERS, {"player": "player_id"}, "player")
GAME = link_column("game_id", LETTERS, {"game": "game_id"}, "game")


@admin.display(description="partition/offset")
def coordinates(letter: DeadLetter) -> str:
    return f"{letter.partition}/{letter.offset}"


@admin.display(description="headers")
def header_values(letter: DeadLetter) -> str:
    """Names and values; a value that is no text is shown in hexadecimal."""
    if not letter.headers:
        return ABSENT
    rows = ((visible(str(name)), _header_value(value)) for name, value in letter.headers)
    return format_html(
        "<ul>{}</ul>", format_html_join("", "<li><bdi>{}</bdi>: <bdi>{}</bdi></li>", rows)
    )


def _header_value(encoded: str | None) -> str:
    if encoded is None:
        return "(null)"
    value = b64decode(encoded)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return visible(text) if text else "(empty)"


@admin.display(description="see also")
def see_also(letter: DeadLetter) -> str:
    links: list[SafeString] = []
    if letter.event_id is not None:
        event = str(letter.event_id)
        links += [
            search_link("the event in the log", "events.event", event=event),
            search_link("all its dead letters", LETTERS, event=event),
        ]
    if letter.player_id:
        links.append(search_link("the player's events", "events.event", player=letter.player_id))
    return format_html_join(" · ", "{}", ((link,) for link in links)) if links else ABSENT


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """The newest first."""

    list_order = NEWEST
    searches = tuple(
        IndexedSearch(words={word: column}, order=NEWEST)
        for word, column in (
            ("event", "event_id"),
            ("player", "player_id"),
            ("game", "game_id"),
            ("cause", "cause"),
        )
    )
    bare_words = ("event", "player")
    bare_meaning = "A UUID alone is an event's id, other text a player's."
    payloads = ("original_event",)
    bulky = ("raw", "key", "headers", "error_message")
    list_display = (
        "id",
        CAUSE,
        CONSUMER,
        text_column("event_type"),
        PLAYER,
        GAME,
        STATE,
        coordinates,
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
            ),
        ),
        (
            "Event",
            (
                "event_id",
                text_column("event_type"),
                PLAYER,
                GAME,
                json_column("original_event"),
                see_also,
            ),
        ),
        (
            "Message",
            (
                text_column("topic"),
                "topic_id",
                "partition",
                "offset",
                header_values,
                bytes_column("key"),
                bytes_column("raw"),
            ),
        ),
    )
