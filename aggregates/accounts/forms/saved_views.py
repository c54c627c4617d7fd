"""A view of the dashboard to be saved, and its name."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import QueryDict

from aggregates.models import Organization
from aggregates.models.saved_view import MAX_NAME
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.forms.fields import CHOICES, check_text
from aggregates.query.saved import Parameters, parameters_of, with_dates
from aggregates.query.selection import Selection

MAX_QUERY = 3_500  # characters: what saves it leads back to it, in an address
WITHOUT_DATES = ("custom", "24h")  # ranges that are dates already, and hours, which are no dates
DATES = {"relative": "as they move on", "fixed": "these dates"}


class QueryForm(forms.Form):
    """What the dashboard shows, as the query of its address."""

    query = forms.CharField(
        required=False,
        strip=False,
        max_length=MAX_QUERY,
        error_messages={"max_length": "Too much is chosen for a view: fewer filters and hidden groups fit in one."},
    )

    def clean_query(self) -> QueryDict:
        try:
            return QueryDict(self.cleaned_data["query"].removeprefix("?"))
        except (ValueError, forms.ValidationError):
            raise forms.ValidationError("Expected the query of an address.") from None

    def selection_for(self, organization: Organization, now: datetime) -> Selection | None:
        """Read what is chosen; None where the form, or the query in it, has errors, which then are the form's."""
        if not self.is_valid():
            return None
        asked = DashboardForm(self.cleaned_data["query"], organization=organization, now=now)
        for name, problem in asked.problems:
            self.add_error("query", f"{name.capitalize()}: {problem}")
        return None if self.errors else asked.selection

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

    def parameters_of(self, selection: Selection) -> Parameters:
        """Give what is kept of a selection: with its dates, or with a range that moves on."""
        fixed = self.cleaned_data["dates"] == "fixed" and selection.range.name not in WITHOUT_DATES
        return parameters_of(with_dates(selection) if fixed else selection)

    @property
    def saved(self) -> dict[str, Any]:
        """What of it is the view's own."""
        return {name: self.cleaned_data[name] for name in ("name", "shared", "is_default")}
