"""The one place where a page's state is read from its URL, and written back to it."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError

from aggregates import ranges
from aggregates.calls import MAX_TEXT_BYTES
from aggregates.dimensions import BY_NAME, DIMENSIONS
from aggregates.models import Organization, PriceOverride, User
from aggregates.models.price import MAX_PRICE, PRICES
from aggregates.pricing.overrides import set_price
from aggregates.ranges import Range
from aggregates.selection import DEFAULT_BY, Selection

LATEST = date(2999, 12, 31)
DATE = {"invalid": "Expected a date, YYYY-MM-DD."}
CHOICES = {"invalid_choice": "There is no choice “%(value)s”."}


class RangeForm(forms.Form):
    """`range`, and for a custom one the dates `from` and `to`, both included."""

    def __init__(
        self, data: Mapping[str, Any], *, zone: str, now: datetime, names: Collection[str] = tuple(ranges.NAMES)
    ) -> None:
        super().__init__(data)
        self.zone = zone
        self.now = now
        self.default = ranges.preset(ranges.DEFAULT, now, zone)
        choices = [(name, ranges.NAMES[name]) for name in names]
        self.fields["range"] = forms.ChoiceField(choices=choices, required=False, error_messages=CHOICES)
        for name in ("from", "to"):
            self.fields[name] = forms.DateField(required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("range") == "custom":
            self._check_dates(cleaned)
        return cleaned

    def _check_dates(self, cleaned: dict[str, Any]) -> None:
        today = self.default.last
        for name in ("from", "to"):
            day = cleaned.get(name)
            if name in self.errors:
                continue
            if day is None:
                self.add_error(name, "A custom range needs this date.")
            elif not ranges.EARLIEST <= day <= today:
                self.add_error(name, f"Expected a date from {ranges.EARLIEST} to {today}, got {day}.")
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last and first > last:
            self.add_error("to", f"Expected a date not before {first}, where the range begins.")
        elif first and last and (last - first).days >= ranges.MAX_DAYS:
            self.add_error("from", f"A range may have at most {ranges.MAX_DAYS:,} days.")
        elif first and last and not ranges.of_days("custom", first, last, self.zone).span:
            self.add_error("from", f"{first} never was in {self.zone}: its clocks skipped that day.")

    @property
    def chosen(self) -> Range:
        """The range asked for; the default one where the form has errors."""
        if not self.is_valid():
            return self.default
        name = self.cleaned_data["range"] or ranges.DEFAULT
        if name == "custom":
            return ranges.of_days(name, self.cleaned_data["from"], self.cleaned_data["to"], self.zone)
        return ranges.preset(name, self.now, self.zone)

    @property
    def shown(self) -> dict[str, str]:
        """What the controls show: what was typed where it is wrong, else what was chosen, dates filled in."""
        chosen = self.chosen
        if self.is_valid():
            return {"range": chosen.name, "from": str(chosen.first), "to": str(chosen.last)}
        return {
            "range": self.cleaned_data.get("range") or chosen.name,
            "from": date_typed(self.data.get("from", str(chosen.first))),
            "to": date_typed(self.data.get("to", str(chosen.last))),
        }

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each wrong field with what is wrong with it."""
        return [(name, str(message)) for name, messages in self.errors.items() for message in messages]


class DashboardForm(RangeForm):
    """The range, the dimension `by` to break cost down by, and a value to keep for any dimension, by its name.

    A filter that is present but empty keeps the calls whose value is unknown.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, zone=organization.time_zone, now=now)
        self.organization = organization
        names = [(dimension.name, dimension.name) for dimension in DIMENSIONS]
        self.fields["by"] = forms.ChoiceField(choices=names, required=False, error_messages=CHOICES)
        for name in BY_NAME:
            self.fields[name] = forms.CharField(required=False, strip=False, validators=[check_size])

    @property
    def selection(self) -> Selection:
        """What to show; the default view where the form has errors."""
        if not self.is_valid():
            return Selection(self.organization, self.default)
        filters = tuple((name, self.cleaned_data[name]) for name in BY_NAME if name in self.data)
        return Selection(self.organization, self.chosen, self.cleaned_data["by"] or DEFAULT_BY, filters)


def date_typed(text: str) -> str:
    """The text if it is a date, else nothing: a date control takes nothing else."""
    try:
        return str(date.fromisoformat(text))
    except ValueError:
        return ""


def check_size(text: str) -> None:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValidationError(f"Expected at most {MAX_TEXT_BYTES} bytes of text.")


def range_parameters(chosen: Range) -> dict[str, str]:
    """The URL parameters that choose this range again; none for the default one."""
    if chosen.name == "custom":
        return {"range": "custom", "from": str(chosen.first), "to": str(chosen.last)}
    return {} if chosen.name == ranges.DEFAULT else {"range": chosen.name}


def range_query(chosen: Range) -> str:
    """The URL query that chooses this range: with its “?”, or nothing for the default one."""
    return written(range_parameters(chosen))


def query_string(selection: Selection) -> str:
    """The URL query that a form reads this selection from: with its “?”, or nothing for the default view."""
    by = {"by": selection.by} if selection.by != DEFAULT_BY else {}
    return written(range_parameters(selection.range) | by | dict(selection.filters))


def written(parameters: Mapping[str, str]) -> str:
    return f"?{urlencode(parameters)}" if parameters else ""


def with_filter(selection: Selection, name: str, value: str | None) -> Selection:
    """The selection with this filter set, or with `None` removed; others stay."""
    kept = {filter_: given for filter_, given in selection.filters if filter_ != name}
    if value is not None:
        kept[name] = value
    filters = tuple((name, kept[name]) for name in BY_NAME if name in kept)
    return Selection(selection.organization, selection.range, selection.by, filters)


class KeyForm(forms.Form):
    """What people say about a new API key."""

    name = forms.CharField(max_length=100)


class PriceForm(forms.Form):
    """What people say about a price of their organization's own."""

    pattern = forms.CharField(label="model", max_length=MAX_TEXT_BYTES, validators=[check_size])
    first = forms.DateField(label="from", required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)
    last = forms.DateField(label="to", required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        for name in PRICES:
            self.fields[name] = forms.DecimalField(
                label=name.replace("_", " ").replace("1h", "for 1 hour"),
                required=name in ("input", "output"),
                min_value=0,
                max_value=MAX_PRICE,
                max_digits=12,
                decimal_places=6,
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first"), cleaned.get("last")
        for name, day in (("first", first), ("last", last)):
            if day and not ranges.EARLIEST <= day <= LATEST:
                self.add_error(name, f"Expected a date from {ranges.EARLIEST} to {LATEST}.")
        if first and last and last < first:
            self.add_error("last", f"Expected a date not before {first}, where it begins.")
        return cleaned

    def save_for(self, organization: Organization, created_by: User | None) -> PriceOverride:
        """Set the price; one for the same model from the same day is replaced."""
        data = self.cleaned_data
        return set_price(organization, data["pattern"], data["first"], data["last"], data, created_by)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each wrong field, as it is called on the page, with what is wrong with it."""
        return [
            (str(self.fields[name].label), str(message)) for name, found in self.errors.items() for message in found
        ]
