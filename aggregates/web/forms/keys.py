"""A new API key."""

from typing import Any

from django import forms

from aggregates.domain.labels import check_labels
from aggregates.models import Kind
from aggregates.query.forms.fields import CHOICES
from aggregates.web.forms.limits import LimitsForm


class KeyForm(LimitsForm):
    """What people say about a new API key."""

    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=Kind.choices, required=False, error_messages=CHOICES)

    labels = forms.CharField(required=False, max_length=8_000)

    def clean_labels(self) -> dict[str, str]:
        """Labels as “team=search, stage=live”."""
        pairs = [pair.partition("=") for pair in self.cleaned_data["labels"].split(",") if pair.strip()]
        if any(not equals or not name.strip() for name, equals, _ in pairs):
            raise forms.ValidationError("Expected labels as team=search, stage=live.")
        try:
            return dict(check_labels({name: text for name, _, text in pairs}))
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if (cleaned.get("projects") or cleaned.get("users")) and self.chosen_kind != Kind.READ:
            self.add_error("kind", "Only a key that reads can be limited to projects or users.")
        return cleaned

    @property
    def chosen_kind(self) -> Kind:
        return Kind(self.cleaned_data.get("kind") or Kind.RECORD)
