"""What a range is compared with: the range before, a year before, a period that is over, or any dates."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django import forms

from aggregates.domain import ranges
from aggregates.domain.days import DAY
from aggregates.domain.formats import count
from aggregates.domain.ranges import OVER, Range
from aggregates.domain.wallclock import day_words
from aggregates.models import Organization
from aggregates.query.forms.fields import DATE, choice_of
from aggregates.query.forms.ranges import RangeForm
from aggregates.query.selection import CONTROLS, DATES, PER_DAY

ENDS = ("compare_from", "compare_to")


class ComparisonForm(RangeForm):
    """The range, and `compare`: which earlier range is beside it; of `dates`, those from `compare_from` to
    `compare_to`, both included, or those of the range before.

    As what is under way may only be compared with as much time, the earlier range has whole days that are over: others
    are left out, and `remarks` say so.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, zone=organization.time_zone, now=now, calendar=organization.calendar)
        self.organization = organization
        self.fields["compare"] = choice_of(CONTROLS["compare"])
        for name in ENDS:
            self.fields[name] = forms.DateField(required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self._compared_with == DATES and not self.errors:
            self._check_ends(cleaned)
        return cleaned

    @property
    def beside(self) -> Range | None:
        """The earlier range, where its dates are not those before or a year before."""
        name = self._compared_with
        if name == DATES:
            first, last = (self.cleaned_data[end] for end in ENDS)
            return ranges.of_days("custom", first, last, self.zone)
        return ranges.preset(name, self.now, self.zone, self.calendar) if name in OVER else None

    @property
    def _compared_with(self) -> str:
        name: str = self.cleaned_data.get("compare", "")
        return name.removesuffix(PER_DAY)

    def _check_ends(self, cleaned: dict[str, Any]) -> None:
        first, last = (cleaned[name] for name in ENDS)
        if first is None and last is None:
            before = self._range_of(cleaned).whole_before
            first, last = before.first, before.last
        for name, day in zip(ENDS, (first, last), strict=True):
            if day is None:
                self.add_error(name, "A comparison with dates needs this one, too.")
        if first and last:
            cleaned |= zip(ENDS, self._over(first, last), strict=True)
            self._check_days(*(cleaned[name] for name in ENDS))

    def _over(self, first: date, last: date) -> tuple[date, date]:
        """Swap dates that are in the wrong order, and leave out days that are not over or out of reach."""
        yesterday = self.default.last - DAY
        if first > last:
            first, last = last, first
            self.remarks.append(f"The dates to compare with were swapped: {day_words(first)} comes first.")
        if last > yesterday >= first:
            self.remarks.append(f"Compared with days that are over: up to {day_words(yesterday)}.")
        return max(first, ranges.EARLIEST), min(last, yesterday)

    def _check_days(self, first: date, last: date) -> None:
        if first > last:
            self.add_error("compare_from", "Expected days that are over, from 2000 on.")
        elif (last - first).days >= ranges.MAX_DAYS:
            self.add_error("compare_from", f"A range may have at most {count(ranges.MAX_DAYS)} days.")
        elif not ranges.of_days("custom", first, last, self.zone).span:
            self.add_error("compare_from", f"{first} never was in {self.zone}: its clocks skipped that day.")
