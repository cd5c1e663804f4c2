"""What an operator does with single dead letters."""

from __future__ import annotations

from collections.abc import Sequence

from apps.contract.causes import UNREPLAYABLE
from apps.deadletters import transitions
from apps.deadletters.models import DeadLetter
from apps.deadletters.replayable import edited_event


class ActionRefused(Exception):
    """The dead letter's state or cause does not allow this; the message says why."""


def replay(ids: Sequence[int], *, by: str) -> int:
    """Release the letters that are open to the consumers that failed; how many.

    Twice asked is once done: a letter that is replaying or applied stays as it is.
    """
    return len(transitions.release(ids, by=by))


def replay_one(letter: int, *, by: str) -> None:
    """Release one letter. Raises ActionRefused."""
    if not transitions.release([letter], by=by):
        raise ActionRefused(_why(letter, "replayed"))


def discard(ids: Sequence[int], *, by: str, reason: str = "") -> int:
    """Close the letters that are open without applying them; how many."""
    return len(transitions.discard(ids, by=by, reason=reason))


def discard_one(letter: int, *, by: str, reason: str = "") -> None:
    """Close one letter. Raises ActionRefused."""
    if not transitions.discard([letter], by=by, reason=reason):
        raise ActionRefused(_why(letter, "discarded"))


def reopen(letter: int, *, by: str) -> None:
    """Undo a discard. Raises ActionRefused."""
    if not transitions.reopen([letter], by=by):
        raise ActionRefused(_why(letter, "reopened"))


def edit(letter: int, raw: bytes, *, by: str) -> None:
    """Have the next replay apply these bytes instead; the original stays beside them.

    Raises EventInvalid where they are no valid event of the letter, ActionRefused.
    """
    found = DeadLetter.objects.filter(pk=letter).first()
    if found is None or found.state != DeadLetter.State.OPEN:
        raise ActionRefused(_why(letter, "edited"))
    edited_event(found, raw)
    if not transitions.edit(letter, raw, by=by):
        raise ActionRefused(_why(letter, "edited"))


def _why(letter: int, deed: str) -> str:
    found = DeadLetter.objects.filter(pk=letter).values_list("state", "cause").first()
    if found is None:
        return f"There is no dead letter {letter}."
    state, cause = found
    if state == DeadLetter.State.OPEN and cause in UNREPLAYABLE:
        return (
            f"Dead letter {letter} cannot be {deed}: Kafka dropped the message before it was read"
            f" ({cause}), so there are no bytes. It can only be discarded."
        )
    return f"Dead letter {letter} cannot be {deed}: it is {state}."
