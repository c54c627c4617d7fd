"""A new API key."""

from django import forms

from aggregates.models import Kind
from aggregates.query.forms.fields import CHOICES


class KeyForm(forms.Form):
    """What people say about a new API key."""

    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=Kind.choices, required=False, error_messages=CHOICES)

    @property
    def chosen_kind(self) -> Kind:
        return Kind(self.cleaned_data["kind"] or Kind.RECORD)
