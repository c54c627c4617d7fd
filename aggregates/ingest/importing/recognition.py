"""Recognising which of the formats a file is of, for `import_usage --preset auto`: nothing ambiguous is guessed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from aggregates.domain.calls import InvalidCall
from aggregates.ingest.dialects.rows import Fields, Reader
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.importing.files import UsageFile
from aggregates.ingest.importing.mappings import FieldMapping, MappingError, listed
from aggregates.ingest.importing.presets import OWN, PRESETS, Preset

AUTO = "auto"  # in place of a preset's name


class NotRecognized(MappingError):
    """A file of none of the formats, or of any of several."""


def recognize(file: UsageFile) -> Preset:
    """The format of a file, by its columns, or by the first of its objects that has signs of one.

    Raises MappingError if it is of none, or could be of several; UnreadableFile.
    """
    found: list[Preset] = []
    if file.columns is not None:
        found = [each for each in PRESETS if each.signs.in_columns(file.columns)]
    else:
        rows = (row for row in file.first_rows() if isinstance(row, dict))
        found = next((formats for row in rows if (formats := _formats_of(row))), [])
    if len(found) > 1:
        found = [each for each in found if each is not OWN]
    if len(found) > 1:
        raise NotRecognized(f"it could be any of these formats: {'; '.join(each.about for each in found)}")
    if not found:
        raise NotRecognized("the format of the file is not recognised", f". {_tried(file)}")
    return found[0]


def mapping_of(preset: Preset) -> FieldMapping:
    """The format's own, but rows that have no call and are of another format, as in files put together, are no rows."""
    make = preset.mapping.reader
    return replace(preset.mapping, reader=lambda labels: _Alone(preset, make(labels))) if make else preset.mapping


class _Alone:
    """A reader for files that should have rows of one format alone."""

    def __init__(self, preset: Preset, reader: Reader) -> None:
        self._preset = preset
        self._reader = reader
        if repeats := getattr(reader, "repeats", None):
            self.repeats = repeats

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        number = 0
        for number, fields in enumerate(self._reader(row, misfits), 1):  # noqa: B007
            yield fields
        if number:
            return
        others = [each for each in _formats_of(dict(row)) if each not in (self._preset, OWN)]
        if others and not self._preset.signs.in_row(dict(row)):
            raise InvalidCall("", f"expected {self._preset.about}, got {others[0].about}: import it by itself")


def _formats_of(row: dict[str, Any]) -> list[Preset]:
    return [each for each in PRESETS if each.signs.in_row(row)]


def _tried(file: UsageFile) -> str:
    csv = file.columns is not None
    tried = "; ".join(f"{each.about}: {wanted}" for each in PRESETS if (wanted := each.signs.wanted(csv=csv)))
    got = f"The {listed(file.columns)}. " if file.columns is not None else ""
    return (
        f"{got}Tried, with the {'columns' if csv else 'keys'} that were "
        f"expected: {tried}. Say which it is with --preset, or where fields come from with --map"
    )
