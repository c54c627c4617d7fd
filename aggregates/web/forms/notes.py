"""A note on a day."""

from datetime import date
from typing import Any

from django import forms

from aggregates.domain import ranges
from aggregates.models.day_note import MAX_NOTE
from aggregates.query.forms.fields import DATE, check_text

LATEST = date(2999, 12, 31)


class NoteForm(forms.Form):
    """What people say about a day, or about several."""

    first = forms.DateField(label="day", input_formats=["%Y-%m-%d"], error_messages=DATE)
    last = forms.DateField(label="last day", required=False, input_formats=["%Y-%m-%d"], error_messages=DATE)
    text = forms.CharField(label="note", max_length=MAX_NOTE, validators=[check_text])

    def clean_text(self) -> str:
        """The text in one line."""
        return " ".join(self.cleaned_data["text"].split())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("first", "last"):
            day = cleaned.get(name)
            if day and not ranges.EARLIEST <= day <= LATEST:
                self.add_error(name, f"Expected a date from {ranges.EARLIEST} to {LATEST}.")
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", f"Expected a date not before {first}, where the note begins.")
        return cleaned

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each wrong field, as it is called on the page, with what is wrong with it."""
        return [
            (str(self.fields[name].label), str(message)) for name, found in self.errors.items() for message in found
        ]
