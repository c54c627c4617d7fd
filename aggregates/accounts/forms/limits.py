"""The part of the usage that somebody is to see: some projects, some users, or both."""

from collections.abc import Mapping
from typing import Any

from django import forms

from aggregates.query.forms.fields import check_text

MOST = 100  # values of a dimension
LONGEST = 20_000  # characters of all
FIELDS = {"project": "projects", "user": "users"}  # by dimension


class Lines(forms.CharField):
    """Texts as they were recorded: typed a line each, or a list as programs send it."""

    def __init__(self, label: str) -> None:
        super().__init__(label=label, required=False, max_length=LONGEST, strip=False)

    def clean(self, value: Any) -> list[str]:
        lines = _listed(value) if isinstance(value, list) else self._typed(value)
        if len(lines) > MOST:
            raise forms.ValidationError(f"Expected at most {MOST}, got {len(lines):,}.")
        for line in lines:
            check_text(line)
        return lines

    def _typed(self, value: Any) -> list[str]:
        typed: str = super().clean(value)
        return list(dict.fromkeys(line.strip() for line in typed.splitlines() if line.strip()))


def _listed(value: list[str]) -> list[str]:
    """Give each text once; an empty one is refused: were it left out, a list of it alone would limit nothing."""
    if not all(value):
        raise forms.ValidationError("Expected no empty text.")
    return list(dict.fromkeys(value))


class LimitsForm(forms.Form):
    """Projects and users; without any, everything is to be seen."""

    def __init__(self, data: Any = None, **rest: Any) -> None:
        super().__init__(data=data, **rest)
        self.fields |= {"projects": Lines("Only these projects"), "users": Lines("Only these users")}

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self["projects"], self["users"]]

    @property
    def limits(self) -> dict[str, list[str]]:
        """The values by dimension; those of one dimension alone where the other one has none."""
        chosen = {name: self.cleaned_data[field] for name, field in FIELDS.items()}
        return {name: values for name, values in chosen.items() if values}


def fields_of(limits: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Write limits as the form has them."""
    return {field: list(limits.get(name, [])) for name, field in FIELDS.items()}
