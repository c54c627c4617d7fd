"""The part of the usage that somebody is to see: some projects, some users, or both."""

from typing import Any

from django import forms

from aggregates.query.forms.fields import check_text

MOST = 100  # values of a dimension
LONGEST = 20_000  # characters of all


class Lines(forms.CharField):
    """Texts, a line each, as they were recorded."""

    def __init__(self, label: str) -> None:
        super().__init__(label=label, required=False, max_length=LONGEST, strip=False)

    def clean(self, value: Any) -> list[str]:
        typed: str = super().clean(value)
        lines = list(dict.fromkeys(line.strip() for line in typed.splitlines() if line.strip()))
        if len(lines) > MOST:
            raise forms.ValidationError(f"Expected at most {MOST}, got {len(lines):,}.")
        for line in lines:
            check_text(line)
        return lines


class LimitsForm(forms.Form):
    """Projects and users, a line each; without any, everything is to be seen."""

    def __init__(self, data: Any = None, **rest: Any) -> None:
        super().__init__(data=data, **rest)
        self.fields |= {"projects": Lines("Only these projects"), "users": Lines("Only these users")}

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self["projects"], self["users"]]

    @property
    def limits(self) -> dict[str, list[str]]:
        """The values by dimension; those of one dimension alone where the other one has none."""
        chosen = {"project": self.cleaned_data["projects"], "user": self.cleaned_data["users"]}
        return {name: values for name, values in chosen.items() if values}
