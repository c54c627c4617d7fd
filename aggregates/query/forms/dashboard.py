"""The state of the dashboard, read from its address; aggregates.query.addresses writes it back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms

from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.formats import count
from aggregates.models import Organization
from aggregates.query.display_measures import DISPLAY_MEASURES
from aggregates.query.forms.comparisons import ComparisonForm
from aggregates.query.forms.fields import (
    OneOfEach,
    TypedText,
    Value,
    Values,
    ViewNumber,
    check_text,
    choice_of,
    choices_of,
)
from aggregates.query.selection import (
    AUTO,
    BARS,
    CONTROLS,
    DEFAULT_BY,
    DEFAULT_TOP,
    NO_BREAKDOWN,
    Pairs,
    Selection,
    in_order,
)
from aggregates.query.stored_selections import MAX_PAIRS, MAX_VALUES, find

PLACES = (*BY_NAME, *(f"not_{name}" for name in BY_NAME))


class DashboardForm(ComparisonForm):
    """The range and what it is compared with, what to see of it and how (`measure`, `by`, `subgroup`, `top`, `bucket`,
    `chart`), and what
    to keep.

    A dimension's own name gives a value to keep, `not_` and its name one to leave out; both may come several times,
    and an empty one stands for calls whose value is unknown. `hide` is a group that the chart leaves out, `hide_other`
    the rest, `col` a column of its tables, `view` the saved view that it began as.

    `add` is where filters are put (a dimension's name, or `not_` and its name): of the values that were picked from a
    list, `pick`, or of the one that was typed, `value`; with a list there is a `listed`.

    Filters that are too long for an address have a name, `set`; `only`, `leave` and `drop` change them by one value.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        organization: Organization,
        now: datetime,
        most_values: int = MAX_VALUES,  # of one dimension: addresses have a limit, what is kept has none but MAX_PAIRS
    ) -> None:
        super().__init__(data, organization=organization, now=now)
        for name, choices in CONTROLS.items():
            self.fields.setdefault(name, choice_of(choices))
        for name in BY_NAME:
            self.fields[name] = Values(most=most_values)
            self.fields[f"not_{name}"] = Values(most=most_values)
        for name, field in {
            "add": choice_of(PLACES),
            "value": TypedText(required=False, validators=[check_text]),
            "pick": Values(),
            "listed": forms.BooleanField(required=False),
        }.items():
            self.fields[name] = field
        self.fields["hide"] = Values()
        self.fields["col"] = choices_of(DISPLAY_MEASURES)
        self.fields["hide_other"] = forms.BooleanField(required=False)
        self.fields["view"] = ViewNumber(required=False)
        self.fields["set"] = forms.CharField(required=False, max_length=100)
        self.fields |= {"only": OneOfEach(BY_NAME), "leave": Value(BY_NAME), "drop": Value(PLACES)}
        self._stored: tuple[Pairs, Pairs] = ((), ())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if key := cleaned.get("set"):
            found = find(self.organization, key)
            if found is None:
                self.add_error("set", "These filters are no longer kept: choose them again.")
            self._stored = found or self._stored
        if sum(map(len, (*self._stored, self._pairs(""), self._pairs("not_")))) > MAX_PAIRS:
            self.add_error(None, f"Expected at most {count(MAX_PAIRS)} values in filters.")
        return cleaned

    @property
    def selection(self) -> Selection:
        """What to show; the default view where the form has errors."""
        if not self.is_valid():
            return Selection(self.organization, self.default)
        chosen, place, values = self._changed(), self.cleaned_data["add"], self._added
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

    def _pairs(self, prefix: str) -> list[tuple[str, str]]:
        return [(name, value) for name in BY_NAME for value in self.cleaned_data.get(f"{prefix}{name}", ())]

    def _changed(self) -> Selection:
        """Change what was chosen by what the address says to."""
        chosen, only, leave, drop = self._chosen, *map(self.cleaned_data.get, ("only", "leave", "drop"))
        for name, value in only or ():
            chosen = chosen.with_filter(name, value)
        chosen = chosen.excluding(leave[0], [leave[1]]) if leave else chosen
        return chosen.without(drop[0].removeprefix("not_"), drop[1]) if drop else chosen

    @property
    def _chosen(self) -> Selection:
        data = self.cleaned_data
        by, subgroup = data["by"] or DEFAULT_BY, data["subgroup"] or NO_BREAKDOWN
        return Selection(
            self.organization,
            self.chosen,
            by=None if by == NO_BREAKDOWN else by,
            subgroup=None if NO_BREAKDOWN in (by, subgroup) or by == subgroup else subgroup,
            top=int(data["top"] or DEFAULT_TOP),
            filters=in_order([*self._stored[0], *self._pairs("")]),
            excluded=in_order([*self._stored[1], *self._pairs("not_")]),
            measure=data["measure"] or "cost",
            bucket=data["bucket"] or AUTO,
            chart=data["chart"] or BARS,
            compare=data["compare"],
            columns=tuple(name for name in DISPLAY_MEASURES if name in data["col"]),
            beside=self.beside,
            hidden=(*data["hide"], *((None,) if data["hide_other"] else ())),
            view=data["view"],
        )
