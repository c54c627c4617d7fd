"""A view of the dashboard to be saved, and its name."""

from typing import Any

from django import forms
from django.http import QueryDict

from aggregates.models.saved_view import MAX_NAME
from aggregates.query.forms.fields import CHOICES, check_text

MAX_QUERY = 3_500  # characters: what saves it leads back to it, in an address
DATES = {"relative": "as they move on", "fixed": "these dates"}


class QueryForm(forms.Form):
    """What the dashboard shows, as the query of its address."""

    query = forms.CharField(
        required=False,
        strip=False,
        max_length=MAX_QUERY,
        validators=[check_text],
        error_messages={"max_length": "Too much is chosen for a view: fewer filters and hidden groups fit in one."},
    )

    def clean_query(self) -> QueryDict:
        try:
            return QueryDict(self.cleaned_data["query"].removeprefix("?"))
        except (ValueError, forms.ValidationError):
            raise forms.ValidationError("Expected the query of an address.") from None

    @property
    def problems(self) -> list[str]:
        return [str(message) for messages in self.errors.values() for message in messages]


class NameForm(forms.Form):
    """A view's name, and whether it opens by default."""

    name = forms.CharField(max_length=MAX_NAME, validators=[check_text])
    is_default = forms.BooleanField(required=False)

    def clean_name(self) -> str:
        """The name with single blanks: what looks the same is the same."""
        return " ".join(self.cleaned_data["name"].split())

    @property
    def problems(self) -> list[str]:
        return [str(message) for messages in self.errors.values() for message in messages]


class SavedViewForm(NameForm, QueryForm):
    """And for whom it is, and whether it keeps the dates of now."""

    shared = forms.BooleanField(required=False)
    dates = forms.ChoiceField(choices=list(DATES.items()), required=False, error_messages=CHOICES)

    @property
    def saved(self) -> dict[str, Any]:
        """What of it is the view's own."""
        return {name: self.cleaned_data[name] for name in ("name", "shared", "is_default")}
