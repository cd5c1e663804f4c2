"""What an operator types in the admin's pages of dead letters."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters.jobs import DEFAULT_RATE, HIGHEST_RATE, LOWEST_RATE
from apps.deadletters.models import DeadLetterJob
from apps.deadletters.selection import Selection

_CONSUMERS = [("", "any"), *((name, name) for name in (BRIDGE, *map(str, Consumer)))]


def _text(label: str) -> forms.CharField:
    return forms.CharField(label=label, required=False, strip=False, max_length=1_000)


def _moment(label: str) -> forms.DateTimeField:
    picker = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1})
    return forms.DateTimeField(label=label, required=False, widget=picker)


class BulkForm(forms.Form):
    """A filter, and what to do with all open letters that match."""

    FILTERS = ("consumer_service", "cause", "game_id", "player_id", "event_type")

    action = forms.ChoiceField(choices=DeadLetterJob.Action.choices)
    consumer_service = forms.ChoiceField(label="Consumer", choices=_CONSUMERS, required=False)
    cause = _text("Cause")
    game_id = _text("Game")
    player_id = _text("Player")
    event_type = _text("Event type")
    created_from = _moment("Dead since (UTC)")
    created_until = _moment("Dead before (UTC)")
    per_second = forms.IntegerField(
        label="At most a second",
        min_value=LOWEST_RATE,
        max_value=HIGHEST_RATE,
        initial=DEFAULT_RATE,
    )
    reason = forms.CharField(label="Reason of a discard", required=False, max_length=1_000)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("action") == DeadLetterJob.Action.DISCARD and not cleaned.get("reason"):
            self.add_error("reason", "A discard needs its reason.")
        return cleaned

    def selection(self) -> Selection:
        """The filter of a valid form; what is left empty matches everything."""

        def given(name: str) -> str | None:
            return self.cleaned_data[name] or None

        return Selection(
            consumer_service=given("consumer_service"),
            cause=given("cause"),
            game_id=given("game_id"),
            player_id=given("player_id"),
            event_type=given("event_type"),
            created_from=self.cleaned_data["created_from"],
            created_until=self.cleaned_data["created_until"],
        )
