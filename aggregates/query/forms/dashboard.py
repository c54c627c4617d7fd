"""The state of the dashboard, read from its address; aggregates.query.addresses writes it back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms

from aggregates.domain.dimensions import BY_NAME
from aggregates.models import Organization
from aggregates.query.forms.fields import Values, ViewNumber, check_text, choice_of
from aggregates.query.forms.ranges import RangeForm
from aggregates.query.selection import (
    AUTO,
    BARS,
    CONTROLS,
    DEFAULT_BY,
    NO_BREAKDOWN,
    Selection,
)

PLACES = (*BY_NAME, *(f"not_{name}" for name in BY_NAME))


class DashboardForm(RangeForm):
    """The range, what to see of it and how (`measure`, `by`, `bucket`, `chart`, `compare`), and what to keep.

    A dimension's own name gives a value to keep, `not_` and its name one to leave out; both may come several times,
    and an empty one stands for calls whose value is unknown. `hide` is a group that the chart leaves out, `hide_other`
    the rest, `view` the saved view that it began as. `add` is where filters are put (a dimension's name, or `not_` and
    its name): of the values that were picked from a list, `pick`, or of the one that was typed, `value`; with a list
    there is a `listed`.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, zone=organization.time_zone, now=now, calendar=organization.calendar)
        self.organization = organization
        for name, choices in CONTROLS.items():
            self.fields[name] = choice_of(choices)
        for name in BY_NAME:
            self.fields[name] = Values(required=False)
            self.fields[f"not_{name}"] = Values(required=False)
        for name, field in {
            "add": choice_of(PLACES),
            "value": forms.CharField(required=False, strip=False, validators=[check_text]),
            "pick": Values(required=False),
            "listed": forms.BooleanField(required=False),
        }.items():
            self.fields[name] = field
        self.fields["hide"] = Values(required=False)
        self.fields["hide_other"] = forms.BooleanField(required=False)
        self.fields["view"] = ViewNumber(required=False)

    @property
    def selection(self) -> Selection:
        """What to show; the default view where the form has errors."""
        if not self.is_valid():
            return Selection(self.organization, self.default)
        chosen, place, values = self._chosen, self.cleaned_data["add"], self._added
        if place.startswith("not_"):
            return chosen.excluding(place.removeprefix("not_"), values) if values else chosen
        return chosen.keeping(place, *values) if place and values else chosen

    @property
    def _added(self) -> list[str]:
        """The values of filters to add; nothing typed stands for what is unknown, where there is no list."""
        data = self.cleaned_data
        if data["pick"]:
            return list(data["pick"])
        return [] if data["listed"] and not data["value"] else [data["value"]]

    @property
    def _chosen(self) -> Selection:
        data = self.cleaned_data
        by = data["by"] or DEFAULT_BY
        return Selection(
            self.organization,
            self.chosen,
            by=None if by == NO_BREAKDOWN else by,
            filters=tuple((name, value) for name in BY_NAME for value in data[name]),
            excluded=tuple((name, value) for name in BY_NAME for value in data[f"not_{name}"]),
            measure=data["measure"] or "cost",
            bucket=data["bucket"] or AUTO,
            chart=data["chart"] or BARS,
            compare=data["compare"],
            hidden=(*data["hide"], *((None,) if data["hide_other"] else ())),
            view=data["view"],
        )
