"""The one place where a page's state is read from its URL, and written back to it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError

from aggregates import ranges
from aggregates.calls import MAX_TEXT_BYTES, parse_time
from aggregates.days import Span
from aggregates.dimensions import BY_NAME
from aggregates.listing import KINDS, Beyond, Place
from aggregates.models import Kind, Organization, PriceOverride, User
from aggregates.models.price import MAX_PRICE, PRICES
from aggregates.pricing.overrides import set_price
from aggregates.ranges import Range
from aggregates.selection import (
    AUTO,
    BARS,
    BEFORE,
    BUCKETS,
    CHARTS,
    DEFAULT_BY,
    NO_BREAKDOWN,
    YEAR,
    CallSelection,
    Pairs,
    Selection,
)
from aggregates.shown import SHOWN

LATEST = date(2999, 12, 31)
MAX_VALUES = 100  # of one dimension, in a filter
CONTROLS = {
    "measure": tuple(SHOWN),
    "by": (*BY_NAME, NO_BREAKDOWN),
    "bucket": BUCKETS,
    "chart": CHARTS,
    "compare": (BEFORE, YEAR),
}
PLACES = (*BY_NAME, *(f"not_{name}" for name in BY_NAME))
DEFAULTS = {"measure": "cost", "by": DEFAULT_BY, "bucket": AUTO, "chart": BARS, "compare": ""}
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
        return self._range_of(self.cleaned_data) if self.is_valid() else self.default

    def _range_of(self, cleaned: Mapping[str, Any]) -> Range:
        name = cleaned["range"] or ranges.DEFAULT
        if name == "custom":
            return ranges.of_days(name, cleaned["from"], cleaned["to"], self.zone)
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


class Values(forms.Field):
    """Any number of texts under one name; those that came, each once."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: list[str] | None) -> list[str]:
        return list(dict.fromkeys(value or ()))

    def validate(self, value: list[str]) -> None:
        if len(value) > MAX_VALUES:
            raise ValidationError(f"Expected at most {MAX_VALUES} values.")
        for text in value:
            check_text(text)


class DashboardForm(RangeForm):
    """The range, what to see of it and how (`measure`, `by`, `bucket`, `chart`, `compare`), and what to keep.

    A dimension's own name gives a value to keep, `not_` and its name one to leave out; both may come several times,
    and an empty one stands for calls whose value is unknown. `hide` is a group that the chart leaves out, `hide_other`
    the rest. `add` is where one more filter is put (a dimension's name, or `not_` and its name), and `value` its value.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, zone=organization.time_zone, now=now)
        self.organization = organization
        for name, choices in CONTROLS.items():
            self.fields[name] = _choice(choices)
        for name in BY_NAME:
            self.fields[name] = Values(required=False)
            self.fields[f"not_{name}"] = Values(required=False)
        for name, field in {
            "add": _choice(PLACES),
            "value": forms.CharField(required=False, strip=False, validators=[check_text]),
        }.items():
            self.fields[name] = field
        self.fields["hide"] = Values(required=False)
        self.fields["hide_other"] = forms.BooleanField(required=False)

    @property
    def selection(self) -> Selection:
        """What to show; the default view where the form has errors."""
        if not self.is_valid():
            return Selection(self.organization, self.default)
        chosen, place, value = self._chosen, self.cleaned_data["add"], self.cleaned_data["value"]
        if place.startswith("not_"):
            return excluding(chosen, place.removeprefix("not_"), [value])
        return keeping(chosen, place, value) if place else chosen

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
        )


class Instant(forms.Field):
    def to_python(self, value: str | None) -> datetime | None:
        try:
            return parse_time(value) if value else None
        except ValueError as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None


class ListPlace(forms.Field):
    def to_python(self, value: str | None) -> Place | None:
        try:
            return Place.parse(value) if value else None
        except ValueError as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None


class CallsForm(DashboardForm):
    """And which of the calls to list: `status`, `since` and `until` for a part of the range, and where the page begins:
    `before` or `after` a place in the list, which are older or newer calls.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, organization=organization, now=now)
        self.fields["status"] = _choice(name for name in KINDS if name)
        self.fields |= {"since": Instant(required=False), "until": Instant(required=False)}
        self.fields |= {"before": ListPlace(required=False), "after": ListPlace(required=False)}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        if cleaned.get("before") and cleaned.get("after"):
            self.add_error("after", "Expected either this or “before”.")
        if bool(since) != bool(until) and not self.errors:
            self.add_error("until" if since else "since", "Expected a time here, too: a part of a range has both.")
        elif since and until and not self.errors:
            span = self._range_of(cleaned).span
            if not span.start <= since < until <= span.end:
                self.add_error("since", "Expected a part of the range.")
        return cleaned

    @property
    def selection(self) -> CallSelection:
        chosen = super().selection
        given = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
        if not self.is_valid():
            return CallSelection(**given)
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        part = Span(since, until) if since and until else None
        return CallSelection(**given, status=self.cleaned_data["status"], part=part)

    @property
    def beyond(self) -> Beyond | None:
        """Where the page begins, unless with the newest call."""
        if not self.is_valid():
            return None
        before, after = self.cleaned_data["before"], self.cleaned_data["after"]
        return Beyond(before) if before else Beyond(after, is_older=False) if after else None


def _choice(names: Iterable[str]) -> forms.ChoiceField:
    return forms.ChoiceField(choices=[(name, name) for name in names], required=False, error_messages=CHOICES)


def date_typed(text: str) -> str:
    """The text if it is a date, else nothing: a date control takes nothing else."""
    try:
        return str(date.fromisoformat(text))
    except ValueError:
        return ""


def check_text(text: str) -> None:
    if "\0" in text:
        raise ValidationError("Null characters are not allowed.")
    check_size(text)


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
    return written(range_parameters(selection.range) | parameters_beside_range(selection))


def parameters_beside_range(selection: Selection) -> dict[str, str | list[str]]:
    """The URL parameters that say what to see of a range, without those that are as by default."""
    chosen: dict[str, str] = {
        "measure": selection.measure,
        "by": selection.by or NO_BREAKDOWN,
        "bucket": selection.bucket,
        "chart": selection.chart,
        "compare": selection.compare,
    }
    parameters: dict[str, str | list[str]] = {name: value for name, value in chosen.items() if value != DEFAULTS[name]}
    for prefix, pairs in (("", selection.filters), ("not_", selection.excluded)):
        for name in dict.fromkeys(name for name, _ in pairs):
            parameters[f"{prefix}{name}"] = [value for given, value in pairs if given == name]
    if hidden := [key for key in selection.hidden if key is not None]:
        parameters["hide"] = hidden
    if isinstance(selection, CallSelection):
        parameters |= _parameters_of_calls(selection)
    return parameters | ({"hide_other": "1"} if None in selection.hidden else {})


def _parameters_of_calls(selection: CallSelection) -> dict[str, str]:
    status = {"status": selection.status} if selection.status else {}
    part = selection.part
    return status | ({"since": _iso(part.start), "until": _iso(part.end)} if part else {})


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def written(parameters: Mapping[str, str | list[str]]) -> str:
    return f"?{urlencode(parameters, doseq=True)}" if parameters else ""


def with_filter(selection: Selection, name: str, value: str | None) -> Selection:
    """The selection with this value as the only one of its dimension, or with `None` without any; others stay."""
    kept = [pair for pair in selection.filters if pair[0] != name]
    filters = _in_order([*kept, *([(name, value)] if value is not None else [])])
    excluded = tuple(pair for pair in selection.excluded if pair[0] != name)
    return replace(selection, filters=filters, excluded=excluded, hidden=())


def keeping(selection: Selection, name: str, value: str) -> Selection:
    """The selection with this value among those kept of its dimension."""
    pairs = dict.fromkeys([*selection.filters, (name, value)])
    excluded = tuple(pair for pair in selection.excluded if pair != (name, value))
    return replace(selection, filters=_in_order(pairs), excluded=excluded, hidden=())


def excluding(selection: Selection, name: str, values: Sequence[str]) -> Selection:
    """The selection without calls that have these values."""
    filters = tuple(pair for pair in selection.filters if pair[0] != name or pair[1] not in values)
    pairs = dict.fromkeys([*selection.excluded, *((name, value) for value in values)])
    return replace(selection, filters=filters, excluded=_in_order(pairs), hidden=())


def without(selection: Selection, name: str, value: str) -> Selection:
    """The selection with this value neither kept nor left out."""
    pair = (name, value)
    return replace(
        selection,
        filters=tuple(each for each in selection.filters if each != pair),
        excluded=tuple(each for each in selection.excluded if each != pair),
    )


def _in_order(pairs: Iterable[tuple[str, str]]) -> Pairs:
    return tuple(sorted(pairs, key=lambda pair: list(BY_NAME).index(pair[0])))


class KeyForm(forms.Form):
    """What people say about a new API key."""

    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=Kind.choices, required=False, error_messages=CHOICES)

    @property
    def chosen_kind(self) -> Kind:
        return Kind(self.cleaned_data["kind"] or Kind.RECORD)


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
