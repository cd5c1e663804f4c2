"""What an operator types to declare an aggregate in the admin."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.stats.aggregate_schema import AggregateInvalid, definition_of
from apps.stats.aggregates import Definition, Operator


class AggregateForm(forms.Form):
    """The fields of `AggregateIn`, which judges them; a valid form has its `definition`."""

    game_id = forms.CharField(label="Game", max_length=128, strip=False)
    name = forms.CharField(max_length=64)
    event_types = forms.CharField(help_text="Separated by spaces.")
    pointer = forms.CharField(help_text="JSON Pointer into data, as /damage.")
    operator = forms.ChoiceField(choices=[(o.value, o.value) for o in Operator])
    reason = forms.CharField(max_length=1_000, help_text="It is kept with the version.")
    change = forms.BooleanField(
        required=False,
        label="Change",
        help_text="It is declared already and gets this definition as a new version.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            plain = ("name", "pointer", "operator", "reason")
            given = {name: cleaned[name] for name in plain}
            given["event_types"] = cleaned["event_types"].split()
            try:
                self.definition: Definition = definition_of(cleaned["game_id"], given)
            except AggregateInvalid as error:
                field = error.pointer.split("/")[1]
                self.add_error(field if field in self.fields else None, f"{error.pointer}: {error}")
        return cleaned
