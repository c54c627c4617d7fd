"""The form that says how a file is to be read."""

from decimal import Decimal
from typing import Any, cast

from django import forms

from aggregates.domain import notation
from aggregates.domain.calls import COUNTS, FIELDS, MAX_TEXT_BYTES, REQUIRED
from aggregates.domain.numbers import is_plain
from aggregates.ingest.importing.mappings import FieldMapping, MappingError
from aggregates.ingest.importing.presets import OWN, PRESETS
from aggregates.ingest.importing.recognition import AUTO
from aggregates.models import FileImport, SavedPreset

NUMBERS = {*COUNTS, "cost", "latency_ms"}
MOST_PATH = 1_000  # characters
FIRST = ("timestamp", "model", "input_tokens", "cached_tokens", "output_tokens", "cost", "user_id")
ORDER = (*FIRST, *(name for name in FIELDS if name not in FIRST))
HINTS = {
    "timestamp": "when the call was made",
    "input_tokens": "all of them, cached ones included; a+b adds columns up",
    "cached_tokens": "a part of the input",
    "cache_write_tokens": "a part of the input",
    "output_tokens": "all of them, reasoning included",
    "cost": "US dollars; without it, prices of the site hold",
    "user_id": "who called",
    "subject_id": "whom or what it was about",
    "request_id": "the call’s own id",
    "status": "ok or error",
    "kind": "call, or charge: a credit, a seat, a fee",
    "service_tier": "batch, flex, priority",
}


class ImportForm(forms.Form):
    """Fills `base`, `paths`, `values` and `skip_rejected` of a FileImport."""

    base = forms.ChoiceField(required=False)
    skip_rejected = forms.BooleanField(required=False)

    def __init__(self, data: Any, imported: FileImport) -> None:
        super().__init__(data)
        self._imported = imported
        cast(forms.ChoiceField, self.fields["base"]).choices = choices_for(imported)
        for name in FIELDS:
            self.fields[f"path-{name}"] = forms.CharField(required=False, max_length=MOST_PATH)
            self.fields[f"value-{name}"] = forms.CharField(required=False, max_length=MAX_TEXT_BYTES)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.paths, self.values = (
            {name: text for name in FIELDS if (text := cleaned.get(f"{kind}-{name}"))} for kind in ("path", "value")
        )
        self._read_numbers()
        base = cleaned.get("base", "")
        if base != self._imported.base and base not in ("", AUTO):
            self.paths, self.values = {}, {}  # they belonged to another way of reading the file
        try:
            FieldMapping().overridden(self.paths, self.values, None)
        except MappingError as error:
            self.add_error(None, f"{error.problem[:1].upper()}{error.problem[1:]}.")
        return cleaned

    def _read_numbers(self) -> None:
        """Keep numbers as files write them, whatever the notation of who typed them."""
        for name in NUMBERS & self.values.keys():
            try:
                self.values[name] = f"{notation.read(self.values[name]):f}"
            except notation.Ambiguous as error:
                self.add_error(f"value-{name}", str(error))
            except ValueError:
                continue  # what is expected there, the mapping says

    def save(self) -> None:
        """Keep what was chosen, for the preview and the import."""
        self._imported.base = self.cleaned_data["base"]
        self._imported.paths, self._imported.values = self.paths, self.values
        self._imported.skip_rejected = self.cleaned_data["skip_rejected"]
        self._imported.save(update_fields=["base", "paths", "values", "skip_rejected"])

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words."""
        return [
            str(message) if name == "__all__" else f"{name.partition('-')[2] or name}: {message}"
            for name, messages in self.errors.items()
            for message in messages
        ]


def choices_for(imported: FileImport) -> list[tuple[str, str]]:
    """The ways to read a file: by what it is recognised as, by columns, by a preset of the site or of the
    organization."""
    saved = SavedPreset.objects.filter(organization=imported.organization).order_by("name")
    return [
        (AUTO, "recognised by itself"),
        ("", "by the columns chosen below"),
        *((preset.name, f"{preset.name}: {preset.about}") for preset in PRESETS if preset is not OWN),
        *((name, f"{name} (saved)") for name in saved.values_list("name", flat=True)),
    ]


def rows_of(paths: dict[str, str], values: dict[str, str]) -> list[dict[str, object]]:
    """A row of the form for each field: where it comes from, or what it is in every row."""
    return [
        {
            "name": name,
            "hint": HINTS.get(name, ""),
            "needed": name in REQUIRED,
            "path": paths.get(name, ""),
            "value": _shown(name, values.get(name, "")),
        }
        for name in ORDER
    ]


def _shown(name: str, value: str) -> str:
    return notation.write(Decimal(value)) if name in NUMBERS and is_plain(value) else value
