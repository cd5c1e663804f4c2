"""Fair play by hand: hide players, release and remove scores, and undo it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.db.models.functions import Now

from apps.leaderboards.acts import Deed, Said, carry_out, demand_board
from apps.leaderboards.folding import Scored, scores
from apps.leaderboards.models import Board, Decision, HiddenPlayer, ModerationAct
from apps.leaderboards.recompute import applied_events
from apps.leaderboards.rules import Definition
from apps.ledger.failures import EventRefused

# Scores that one call decides upon; scores stand still meanwhile.
MOST: Final = 1_000
HIDE, UNHIDE, REMOVE, RELEASE, RESTORE = "hide", "unhide", "remove", "release", "restore"
_ACTIONS: Final = {Decision.RELEASED: RELEASE, Decision.REMOVED: REMOVE}
_HIDDEN: Final = "hidden"


class ScoreUnknown(Exception):
    """No such score counts on the board, or waits for a decision."""


class ActUnknown(Exception):
    """The game has no such act."""


class ActConflict(Exception):
    """What the act did was changed since, or it cannot be undone."""


def hide(game_id: str, player_id: str, board: str, said: Said) -> ModerationAct | None:
    """Hide a player on a board ("": on every board of the game); None: they were hidden so.

    Raises BoardUnknown, and as `carry_out`.
    """

    def do() -> Deed:
        return _hide(game_id, player_id, board, said, None)

    return _first(carry_out(game_id, do))


def unhide(game_id: str, player_id: str, board: str, said: Said) -> ModerationAct | None:
    """Undo `hide` of the same player and board; None: they were not hidden so. Raises as it."""

    def do() -> Deed:
        acts = ModerationAct.objects.filter(
            game_id=game_id, player_id=player_id, board=board, action=HIDE
        )
        return _unhide(game_id, player_id, board, said, acts.order_by("id").last())

    return _first(carry_out(game_id, do))


def remove(game_id: str, board: str, event_ids: Iterable[str], said: Said) -> list[ModerationAct]:
    """Take events off a board; those that are off already change nothing.

    Raises BoardUnknown, ScoreUnknown (and removes none), and as `carry_out`.
    """
    wanted = sorted(set(event_ids))

    def do() -> Deed:
        definition = demand_board(game_id, board)
        held = _decisions(game_id, board=board, event_id__in=wanted)
        found = {str(decision.event_id): decision for decision in held}
        for event_id, scored in _scored(definition, set(wanted) - found.keys()).items():
            found[event_id] = _undecided(definition, event_id, scored)
        missing = [event_id for event_id in wanted if event_id not in found]
        if missing:
            raise ScoreUnknown(f"board {board!r} of {game_id!r} counts no event {missing[0]}")
        deed = Deed()
        for event_id in wanted:
            _decide(deed, found[event_id], Decision.REMOVED, said)
        return deed

    return carry_out(game_id, do)


def settle(game_id: str, ids: Iterable[int], state: str, said: Said) -> list[ModerationAct]:
    """Release or remove scores that were decided upon, by the decisions' ids.

    `state` is Decision.RELEASED or REMOVED; what is in it already is left as it is. Raises
    ScoreUnknown (and changes none), and as `carry_out`.
    """
    wanted = sorted(set(ids))

    def do() -> Deed:
        found = {decision.pk: decision for decision in _decisions(game_id, pk__in=wanted)}
        missing = [pk for pk in wanted if pk not in found]
        if missing:
            raise ScoreUnknown(f"{game_id!r} has no decision {missing[0]}")
        deed = Deed()
        for pk in wanted:
            _decide(deed, found[pk], state, said)
        return deed

    return carry_out(game_id, do)


def undo(game_id: str, act_id: int, said: Said) -> ModerationAct:
    """Undo an act. Raises ActUnknown, ActConflict, and as `carry_out`."""

    def do() -> Deed:
        act = ModerationAct.objects.filter(game_id=game_id, pk=act_id).first()
        if act is None:
            raise ActUnknown(f"{game_id!r} has no act {act_id}")
        deed = _undone(act, said)
        if not deed.acts:
            raise ActConflict(f"act {act_id} was undone, or followed by another")
        return deed

    return carry_out(game_id, do)[0]


def _undone(act: ModerationAct, said: Said) -> Deed:
    if act.action == HIDE:
        return _unhide(act.game_id, act.player_id, act.board, said, act)
    if act.action == UNHIDE:
        return _hide(act.game_id, act.player_id, act.board, said, act)
    if act.action == RESTORE:
        raise ActConflict("what was undone is done again by doing it again")
    deed = Deed()
    found = _decisions(act.game_id, board=act.board, event_id=act.event_id)
    if found and found[0].state == act.after:
        _decide(deed, found[0], act.before, said, act)
    return deed


def _hide(
    game_id: str, player_id: str, board: str, said: Said, undo_of: ModerationAct | None
) -> Deed:
    if board != HiddenPlayer.EVERY_BOARD:
        demand_board(game_id, board)
    deed = Deed()
    _, new = HiddenPlayer.objects.get_or_create(
        game_id=game_id,
        board=board,
        player_id=player_id,
        defaults={"hidden_by": said.by, "reason": said.reason},
    )
    if new:
        act = _act(HIDE, game_id, board, player_id, said, undo_of)
        act.after = _HIDDEN
        deed.record(act)
    return deed


def _unhide(
    game_id: str, player_id: str, board: str, said: Said, undo_of: ModerationAct | None
) -> Deed:
    deed = Deed()
    hidden = HiddenPlayer.objects.filter(game_id=game_id, board=board, player_id=player_id)
    if hidden.delete()[0]:
        act = _act(UNHIDE, game_id, board, player_id, said, undo_of)
        act.before = _HIDDEN
        deed.record(act)
    return deed


def _decide(
    deed: Deed,
    decision: Decision,
    state: str,
    said: Said,
    undo_of: ModerationAct | None = None,
) -> None:
    """Bring the decision into the state; "" is none at all."""
    before = decision.state
    if before == state:
        return
    action = RESTORE if undo_of is not None else _ACTIONS[state]
    act = _act(action, decision.game_id, decision.board, decision.player_id, said, undo_of)
    act.event_id, act.before, act.after = decision.event_id, before, state
    deed.record(act, recount=_counts(before) != _counts(state))
    if not state:
        decision.delete()
        return
    decision.state = state
    decision.decided_by, decision.reason = said.by, said.reason
    decision.decided_at = Now()
    decision.save()


def _counts(state: str) -> bool:
    return state not in Decision.UNCOUNTED


def _act(
    action: str,
    game_id: str,
    board: str,
    player_id: str,
    said: Said,
    undo_of: ModerationAct | None,
) -> ModerationAct:
    return ModerationAct(
        game_id=game_id,
        board=board,
        player_id=player_id,
        action=action,
        before="",
        after="",
        actor=said.by,
        reason=said.reason,
        undo_of=undo_of,
    )


def _decisions(game_id: str, **which: object) -> list[Decision]:
    return list(Decision.objects.filter(game_id=game_id).filter(**which).order_by("id"))


def _scored(definition: Definition, event_ids: Iterable[str]) -> Mapping[str, Scored]:
    """The applied ones of these events that the board counts by its rules."""
    found = {}
    for event in applied_events(definition.game_id, event_ids):
        try:
            counted = scores([definition], *event[1:], event.event_id)
        except EventRefused:
            continue
        if counted:
            found[event.event_id] = counted[0]
    return found


def _undecided(definition: Definition, event_id: str, scored: Scored) -> Decision:
    versions = Board.objects.filter(game_id=definition.game_id, name=definition.name)
    return Decision(
        game_id=definition.game_id,
        board=definition.name,
        event_id=event_id,
        player_id=scored.player_id,
        event_timestamp=scored.at,
        score=scored.score,
        rule="removed",
        state="",
        board_version=versions.values_list("version", flat=True).first() or 0,
    )


def _first(acts: list[ModerationAct]) -> ModerationAct | None:
    return acts[0] if acts else None
