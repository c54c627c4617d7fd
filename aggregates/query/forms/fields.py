"""Fields that several forms have, and what they say when something is wrong."""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from aggregates.domain import notation
from aggregates.domain.calls import MAX_TEXT_BYTES, parse_time
from aggregates.domain.numbers import is_plain
from aggregates.domain.texts import SPELLED, read_typed
from aggregates.query import call_order
from aggregates.query.call_order import CostCursor, Cursor
from aggregates.query.stored_selections import MAX_VALUES

NUMBER = re.compile("[0-9]{1,18}")  # of a row
DATE = {"invalid": "Expected a date, YYYY-MM-DD."}
CHOICES = {"invalid_choice": "There is no choice “%(value)s”."}


def choice_of(names: Iterable[str]) -> forms.ChoiceField:
    return forms.ChoiceField(choices=[(name, name) for name in names], required=False, error_messages=CHOICES)


def choices_of(names: Iterable[str]) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(choices=[(name, name) for name in names], required=False, error_messages=CHOICES)


class _Texts(forms.MultipleHiddenInput):
    """Texts as they are; and those that a form of a page has spelled out, because browsers change ends of lines."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        spelled: list[str] = data.getlist(f"{name}{SPELLED}") if hasattr(data, "getlist") else []
        return [*(super().value_from_datadict(data, files, name) or ()), *map(read_typed, spelled)]


class TypedText(forms.CharField):
    """A recorded text as somebody types it: see `read_typed`."""

    def to_python(self, value: Any) -> str:
        return read_typed(super().to_python(value) or "")


class Value(forms.Field):
    """One of some places of filters with a value, as in “user:alice”; the value is any text."""

    def __init__(self, places: Iterable[str]) -> None:
        super().__init__(required=False)
        self.places = frozenset(places)

    def to_python(self, value: str | None) -> tuple[str, str] | None:
        name, mark, text = (value or "").partition(":")
        if not value:
            return None
        if not mark or name not in self.places:
            raise ValidationError("Expected a dimension and a value, such as user:alice.")
        check_text(text)
        return name, text


class OneOfEach(Value):
    """Any number of such values; of a place the last one counts."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> Any:
        return [pair for text in value or () if (pair := super(OneOfEach, self).to_python(text))]


class Values(forms.Field):
    """Any number of texts under one name; those that came, each once."""

    widget = _Texts

    def __init__(self, *, most: int = MAX_VALUES) -> None:
        super().__init__(required=False)
        self.most = most

    def to_python(self, value: list[str] | None) -> list[str]:
        return list(dict.fromkeys(value or ()))

    def validate(self, value: list[str]) -> None:
        if len(value) > self.most:
            raise ValidationError(f"Expected at most {self.most} values.")
        for text in value:
            check_text(text)


class TypedDecimal(forms.DecimalField):
    """A number as its reader writes it; Django's own field also takes 1_000, and other scripts' digits."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # of the field that it is made of
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        try:
            return notation.read(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class PlainInteger(forms.IntegerField):
    """A whole number as everybody writes it, for programs."""

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str) and value.strip() and not is_plain(value.strip()):
            raise ValidationError("Expected a number, such as 12.")
        return super().to_python(value)


class ViewNumber(forms.Field):
    """The number of a saved view; whatever else comes counts as none given, as does the number of one that is gone."""

    def to_python(self, value: str | None) -> int | None:
        return int(value) if value and NUMBER.fullmatch(value) else None


class Instant(forms.Field):
    def to_python(self, value: str | None) -> datetime | None:
        try:
            return parse_time(value) if value else None
        except ValueError as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None


class CursorField(forms.Field):
    def to_python(self, value: str | None) -> Cursor | CostCursor | None:
        try:
            return call_order.parse(value) if value else None
        except ValueError as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None


def check_text(text: str) -> None:
    if "\0" in text:
        raise ValidationError("Null characters are not allowed.")
    check_size(text)


def check_size(text: str) -> None:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValidationError(f"Expected at most {MAX_TEXT_BYTES} bytes of text.")
