"""Which days: a range by its name, or by its dates."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from django import forms

from aggregates.domain import ranges
from aggregates.domain.formats import count
from aggregates.domain.ranges import Range
from aggregates.query.forms.fields import CHOICES, DATE


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
            self.add_error("from", f"A range may have at most {count(ranges.MAX_DAYS)} days.")
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
    def display_values(self) -> dict[str, str]:
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


def date_typed(text: str) -> str:
    """Keep the text if it is a date: a date control takes nothing else."""
    try:
        return str(date.fromisoformat(text))
    except ValueError:
        return ""
