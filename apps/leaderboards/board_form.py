"""What an operator types to declare a board in the admin."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.leaderboards.board_schema import BoardInvalid, definition_of, typed
from apps.leaderboards.periods import CALENDAR, Period
from apps.leaderboards.rules import Definition, Operator, Order


class BoardForm(forms.Form):
    """The fields of `BoardIn`, which judges them; a valid form has its `definition`."""

    game_id = forms.CharField(label="Game", max_length=128, strip=False)
    name = forms.CharField(max_length=64)
    event_types = forms.CharField(help_text="Separated by spaces.")
    score = forms.CharField(
        required=False, help_text="JSON Pointer into data, as /points; count does without."
    )
    where = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text='JSON, as {"/mode": "ranked", "/level": {"gte": 5}}; empty counts all.',
    )
    operator = forms.ChoiceField(choices=[(o.value, o.value) for o in Operator])
    order = forms.ChoiceField(choices=[(o.value, o.value) for o in Order])
    periods = forms.MultipleChoiceField(
        choices=[(p.value, p.value) for p in Period],
        initial=[period.value for period in CALENDAR],
        widget=forms.CheckboxSelectMultiple,
    )
    season = forms.CharField(
        required=False, help_text="Cron expression of when a season begins, as 0 4 1 */3 *."
    )
    timezone = forms.CharField(initial="UTC")
    bounds = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text='JSON, as {"max": 1000, "max_attempts": 50}; what breaks them is held.',
    )
    reason = forms.CharField(max_length=1_000, help_text="It is kept with the version.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.definition: Definition = definition_of(
                    cleaned["game_id"], self._given(cleaned)
                )
            except BoardInvalid as error:
                field = error.pointer.split("/")[1]
                self.add_error(field if field in self.fields else None, f"{error.pointer}: {error}")
        return cleaned

    def _given(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """Raises BoardInvalid."""
        plain = ("name", "score", "operator", "order", "periods", "season", "timezone", "reason")
        return {
            **{name: cleaned[name] for name in plain},
            "event_types": cleaned["event_types"].split(),
            "where": typed("where", cleaned["where"]),
            "bounds": typed("bounds", cleaned["bounds"]),
        }
