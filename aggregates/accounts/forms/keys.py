"""A new API key."""

from collections.abc import Mapping
from typing import Any

from django import forms

from aggregates.accounts.forms.limits import LimitsForm
from aggregates.domain.labels import check_labels
from aggregates.models import Kind
from aggregates.query.forms.fields import CHOICES


class LabelsField(forms.CharField):
    """Labels as people type them, “team=search, stage=live”, or texts by name as programs send them."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=8_000)

    def clean(self, value: Any) -> dict[str, str]:
        pairs = value if isinstance(value, Mapping) else self._typed(value)
        try:
            return dict(check_labels(dict(pairs)))
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None

    def _typed(self, value: Any) -> dict[str, str]:
        typed: str = super().clean(value)
        pairs = [pair.partition("=") for pair in typed.split(",") if pair.strip()]
        if any(not equals or not name.strip() for name, equals, _ in pairs):
            raise forms.ValidationError("Expected labels as team=search, stage=live.")
        return {name: text for name, _, text in pairs}


class KeyForm(LimitsForm):
    """What people and programs say about a new API key."""

    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=Kind.choices, required=False, error_messages=CHOICES)

    labels = LabelsField()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if (cleaned.get("projects") or cleaned.get("users")) and self.chosen_kind != Kind.READ:
            self.add_error("kind", "Only a key that reads can be limited to projects or users.")
        return cleaned

    @property
    def chosen_kind(self) -> Kind:
        return Kind(self.cleaned_data.get("kind") or Kind.RECORD)
