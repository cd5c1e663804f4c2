"""Quarantine, hidden players and the log of acts, as an operator sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.contrib import admin

from apps.leaderboards import moderation
from apps.leaderboards.acts import Said
from apps.leaderboards.models import Decision, Entry, HiddenPlayer, ModerationAct
from apps.leaderboards.moderation_pages import ModerationPages
from apps.operations.columns import decimal_column, moment_column, text_column
from apps.operations.filters import static_filter
from apps.operations.keyset import Keyset
from apps.operations.read_only import ReadOnlyAdmin
from apps.operations.search import IndexedSearch

NEWEST = Keyset(fields=("id",), descending=True)
BOARD = text_column("board")
PLAYER = text_column("player_id", "player")
GAME = text_column("game_id", "game")
REASON = text_column("reason")


def release(rows: Sequence[Decision], said: Said) -> list[ModerationAct]:
    return _settle(rows, Decision.RELEASED, said)


def remove(rows: Sequence[Decision], said: Said) -> list[ModerationAct]:
    return _settle(rows, Decision.REMOVED, said)


def _settle(rows: Sequence[Decision], state: str, said: Said) -> list[ModerationAct]:
    """Game by game."""
    games: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        games[row.game_id].append(row.pk)
    return [
        act
        for game_id, ids in games.items()
        for act in moderation.settle(game_id, ids, state, said)
    ]


def hide(rows: Sequence[Entry], said: Said) -> list[ModerationAct | None]:
    """The entries' players, each on the entry's board."""
    chosen = sorted({(row.game_id, row.player_id, row.board) for row in rows})
    return [moderation.hide(game_id, player, board, said) for game_id, player, board in chosen]


def hide_everywhere(rows: Sequence[Entry], said: Said) -> list[ModerationAct | None]:
    chosen = sorted({(row.game_id, row.player_id) for row in rows})
    every = HiddenPlayer.EVERY_BOARD
    return [moderation.hide(game_id, player, every, said) for game_id, player in chosen]


def unhide(rows: Sequence[HiddenPlayer], said: Said) -> list[ModerationAct | None]:
    return [moderation.unhide(row.game_id, row.player_id, row.board, said) for row in rows]


def undo(rows: Sequence[ModerationAct], said: Said) -> list[ModerationAct]:
    """The newest first, so that one act after the other can be undone."""
    newest = sorted(rows, key=lambda act: act.pk, reverse=True)
    return [moderation.undo(act.game_id, act.pk, said) for act in newest]


@admin.register(Decision)
class DecisionAdmin(ModerationPages, ReadOnlyAdmin):
    """Scores that were held, released or removed; the newest first."""

    deeds = {"release": ("Release", release), "remove": ("Remove", remove)}  # noqa: RUF012
    list_order = NEWEST
    searches = (
        IndexedSearch(
            words={"game": "game_id", "board": "board", "player": "player_id"},
            order=Keyset(fields=("game_id", "board", "player_id", "id")),
        ),
    )
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    static_filters = (
        static_filter("state", "state", (Decision.HELD, Decision.RELEASED, Decision.REMOVED)),
    )
    list_display = (
        "id",
        text_column("state"),
        PLAYER,
        decimal_column("score"),
        GAME,
        BOARD,
        text_column("rule"),
        text_column("detail"),
        moment_column("event_timestamp"),
    )
    sections = (
        (
            None,
            (
                *("id", text_column("state"), PLAYER, decimal_column("score"), GAME, BOARD),
                *("event_id", moment_column("event_timestamp"), text_column("rule")),
                *(text_column("detail"), "board_version", moment_column("created_at")),
            ),
        ),
        ("Decision", (text_column("decided_by"), moment_column("decided_at"), REASON)),
    )


@admin.register(HiddenPlayer)
class HiddenPlayerAdmin(ModerationPages, ReadOnlyAdmin):
    """Who has no entries, where; the newest first."""

    deeds = {"unhide": ("Unhide", unhide)}  # noqa: RUF012
    list_order = NEWEST
    searches = (
        IndexedSearch(
            words={"game": "game_id", "player": "player_id"},
            order=Keyset(fields=("game_id", "player_id", "board")),
        ),
    )
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id. No board: hidden on all of them."
    list_display = (
        "id",
        PLAYER,
        GAME,
        BOARD,
        text_column("hidden_by"),
        REASON,
        moment_column("hidden_at"),
    )
    sections = (
        (
            None,
            (
                "id",
                PLAYER,
                GAME,
                BOARD,
                text_column("hidden_by"),
                REASON,
                moment_column("hidden_at"),
            ),
        ),
    )


@admin.register(ModerationAct)
class ModerationActAdmin(ModerationPages, ReadOnlyAdmin):
    """What was done to players and scores, by whom, when and why; the newest first."""

    deeds = {"undo": ("Undo", undo)}  # noqa: RUF012
    list_order = NEWEST
    searches = (IndexedSearch(words={"game": "game_id", "player": "player_id"}, order=NEWEST),)
    bare_words = ("game",)
    bare_meaning = "Text alone is a game's id."
    list_display = (
        "id",
        text_column("action"),
        PLAYER,
        GAME,
        BOARD,
        text_column("actor"),
        REASON,
        moment_column("acted_at"),
    )
    sections = (
        (
            None,
            (
                *("id", text_column("action"), PLAYER, GAME, BOARD, "event_id"),
                *(text_column("before"), text_column("after"), text_column("actor"), REASON),
                *(moment_column("acted_at"), "undo_of_id"),
            ),
        ),
    )
