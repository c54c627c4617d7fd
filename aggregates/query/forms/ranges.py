"""Which days: a range by its name, or by its dates."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django import forms

from aggregates.domain import days, ranges
from aggregates.domain.calendars import Calendar
from aggregates.domain.formats import count
from aggregates.domain.ranges import Range
from aggregates.domain.wallclock import day_words
from aggregates.query.forms.fields import CHOICES, DATE


class RangeForm(forms.Form):
    """`range`, and for a custom one the dates `from` and `to`, both included.

    What a range cannot have is not refused, but left out, and `remarks` say so: days that are yet to come, and those
    before the first that can be known. Dates in the wrong order are swapped.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        zone: str,
        now: datetime,
        names: Collection[str] = tuple(ranges.NAMES),
        calendar: Calendar = ranges.CALENDAR,
    ) -> None:
        super().__init__(data)
        self.zone = zone
        self.now = now
        self.calendar = calendar
        self.remarks: list[str] = []
        self.default = ranges.preset(ranges.DEFAULT, now, zone)
        choices = [(name, ranges.NAMES.get(name, name)) for name in (*names, *ranges.SYNONYMS)]
        self.fields["range"] = forms.ChoiceField(choices=choices, required=False, error_messages=CHOICES)
        for name in ("from", "to"):
            self.fields[name] = forms.DateField(required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)

    def clean_range(self) -> str:
        name: str = self.cleaned_data["range"]
        return ranges.SYNONYMS.get(name, name)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("range") == "custom":
            self._check_dates(cleaned)
        return cleaned

    def _check_dates(self, cleaned: dict[str, Any]) -> None:
        for name in ("from", "to"):
            if name not in self.errors and cleaned.get(name) is None:
                self.add_error(name, "A custom range needs this date.")
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last:
            self.remarks.clear()
            cleaned["from"], cleaned["to"] = first, last = self._in_reach(first, last)
            if (min(last, self.default.last) - first).days >= ranges.MAX_DAYS:
                self.add_error("from", f"A range may have at most {count(ranges.MAX_DAYS)} days.")
            elif not ranges.up_to_now("custom", first, last, self.zone, self.now).span:
                self.add_error("from", f"{first} never was in {self.zone}: its clocks skipped that day.")

    def _in_reach(self, first: date, last: date) -> tuple[date, date]:
        """Swap dates that are in the wrong order, and leave out what is out of reach, with a word about each."""
        today = self.default.last
        if first > last:
            first, last = last, first
            self.remarks.append(f"The dates were swapped: {day_words(first)} comes before {day_words(last)}.")
        if last > today:
            self.remarks.append(f"The days after {day_words(today)} are yet to come: shown is what there is so far.")
        if first < ranges.EARLIEST:
            self.remarks.append(f"Usage is known from {day_words(ranges.EARLIEST)} on.")
        first = min(max(first, ranges.EARLIEST), today)
        return first, min(max(last, first), today + timedelta(days=ranges.MAX_DAYS))

    @property
    def chosen(self) -> Range:
        """The range asked for; the default one where the form has errors."""
        return self._range_of(self.cleaned_data) if self.is_valid() else self.default

    def chosen_in(self, zone: str, calendar: Calendar) -> Range | None:
        """The same range in another zone and calendar; None where none of its dates has begun there."""
        chosen = self.chosen
        if chosen.name != "custom":
            return ranges.preset(chosen.name, self.now, zone, calendar)
        if chosen.first > days.date_of(self.now, zone):
            return None
        there = ranges.up_to_now("custom", chosen.first, chosen.through, zone, self.now)
        return there if there.span else None

    def _range_of(self, cleaned: Mapping[str, Any]) -> Range:
        name = cleaned["range"] or ranges.DEFAULT
        if name == "custom":
            return ranges.up_to_now(name, cleaned["from"], cleaned["to"], self.zone, self.now)
        return ranges.preset(name, self.now, self.zone, self.calendar)

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
