"""Local days from one to another, either of which may be left open."""

from datetime import date
from typing import Any

from django import forms

from aggregates.domain import ranges
from aggregates.query.forms.fields import DATE

LATEST = date(2999, 12, 31)


def day_field(label: str) -> forms.DateField:
    return forms.DateField(label=label, required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)


class DaysForm(forms.Form):
    """The `first` and the `last` day."""

    first = day_field("from")
    last = day_field("to")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        check_days(self, "first", "last")
        return cleaned


def check_days(form: forms.Form, *names: str) -> None:
    """Add what is wrong with the days of two fields, of which the first is not after the other."""
    first, last = (form.cleaned_data.get(name) for name in names)
    for name, day in zip(names, (first, last), strict=True):
        if day and not ranges.EARLIEST <= day <= LATEST:
            form.add_error(name, f"Expected a date from {ranges.EARLIEST} to {LATEST}.")
    if first and last and last < first:
        form.add_error(names[1], f"Expected a date not before {first}, where it begins.")
