"""What a file is and what its first rows come to, before anything of it is recorded."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from aggregates import ingest
from aggregates.domain.calls import CALL, CHARGE, Call
from aggregates.domain.money import EXACT
from aggregates.ingest.importing import saved, uploads
from aggregates.ingest.importing.arrivals import misfit_in_words
from aggregates.ingest.importing.calls_of_file import FileCalls
from aggregates.ingest.importing.files import Reject, Rejection, Row, UnreadableFile, UsageFile
from aggregates.ingest.importing.guesses import guess
from aggregates.ingest.importing.mappings import FieldMapping, MappingError
from aggregates.ingest.importing.presets import BY_NAME, OWN, Preset
from aggregates.ingest.importing.recognition import AUTO, NotRecognized, recognize
from aggregates.ingest.importing.running import preset_of
from aggregates.models import FileImport, Organization, SavedPreset
from aggregates.pricing import Pricer

MOST_ROWS = 10_000  # that are looked at; and as many calls, as a row may tell of millions
MOST_SECONDS = 4.0
SHOWN = 8  # calls
MOST_PATHS, DEEPEST = 200, 4  # of columns, or of keys of JSON, that are proposed


class _Enough(Exception):
    """Some rows are enough."""


class Head:
    """The first rows of a file, as FileCalls reads them; `is_whole` tells whether these were all."""

    def __init__(self, file: UsageFile) -> None:
        self._file = file
        self._until = time.monotonic() + MOST_SECONDS
        self._rows = 0
        self.columns = file.columns
        self.is_whole = False

    def rows(self, reject: Reject) -> Iterator[tuple[int, Row]]:
        def count_and_reject(rejection: Rejection) -> None:
            self._count()
            reject(rejection)

        try:
            for line, row in self._file.rows(count_and_reject):
                self._count()
                yield line, row
        except _Enough:
            return
        self.is_whole = True

    @property
    def took_long(self) -> bool:
        return time.monotonic() > self._until

    def _count(self) -> None:
        self._rows += 1
        if self._rows > MOST_ROWS or self.took_long:
            raise _Enough


@dataclass
class Preview:
    """What is known before the import. Without `calls` it cannot be imported so, and `problem` says why."""

    problem: str = ""
    recognized: Preset | None = None
    is_unknown: bool = False  # the site does not know the format: fields are to be chosen
    paths: dict[str, str] = field(default_factory=dict)  # those chosen, else those proposed
    columns: tuple[str, ...] = ()  # or paths of JSON, to choose from
    calls: FileCalls | None = None
    is_whole: bool = False
    estimated_rows: int = 0  # of the whole file
    shown: list[Call] = field(default_factory=list)
    number: int = 0  # of calls and charges
    charges: int = 0
    note: str = ""  # what to know of numbers of such a file
    models: Counter[str] = field(default_factory=Counter)
    earliest: datetime | None = None
    latest: datetime | None = None
    tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    @property
    def calls_alone(self) -> int:
        return self.number - self.charges

    @property
    def misfits(self) -> list[tuple[str, int]]:
        """What did not fit, in words, and in how many calls, as the result of the import will tell it."""
        told = self.calls.misfits if self.calls else {}
        return [(misfit_in_words(misfit), number) for misfit, number in told.items()]

    def add(self, call: Call, cost: Decimal | None) -> None:
        """Count a call; `cost` is what it will be in the log."""
        if len(self.shown) < SHOWN:
            self.shown.append(call._replace(cost=cost))
        self.number += 1
        self.charges += call.kind == CHARGE
        self.models.update([call.model] if call.model else [])
        self.earliest = min(self.earliest or call.timestamp, call.timestamp)
        self.latest = max(self.latest or call.timestamp, call.timestamp)
        self.tokens += call.input_tokens + call.output_tokens
        self.unpriced += cost is None and call.kind == CALL
        with localcontext(EXACT):
            self.cost += cost or 0


def preview(imported: FileImport, largest: int) -> Preview:
    """Read the first rows of a file as they are to be read; whatever is wrong with it is said in the preview."""
    found = Preview(paths=dict(imported.paths))
    try:
        preset = preset_of(imported)
        with uploads.opened(imported, uploads.from_table(imported), largest) as file:
            columns = file.columns or tuple(_paths_of(file))
            found.columns = columns[:MOST_PATHS]
            mapping = _mapping(file, preset, columns, found)
            found.note = (found.recognized or BY_NAME.get(imported.base, OWN)).note
            _count(imported.organization, file, mapping, found)
    except MappingError as error:
        found.problem, found.calls = _sentence(error.problem), None
    except UnreadableFile as error:
        found.problem, found.calls = _sentence(str(error)), None
    return found


def _mapping(file: UsageFile, preset: SavedPreset, columns: Sequence[str], found: Preview) -> FieldMapping:
    """What the preset makes of the file; of one of an unknown format that nothing was chosen for, what is proposed."""
    if preset.base != AUTO:
        return saved.mapping_of(preset)
    try:
        found.recognized = recognize(file)
    except NotRecognized as error:
        found.is_unknown = True
        guessed = guess(columns)
        found.paths = found.paths or {name: path for name, path in guessed.items() if name not in preset.values}
        told = {*found.paths, *preset.values}
        needed = ("timestamp",) if "kind" in told else ("timestamp", "model")  # a charge needs no model
        if missing := [name for name in needed if name not in told]:
            raise MappingError(f"{error.problem}: say which column is {' and which is '.join(missing)}") from None
        return FieldMapping().overridden(found.paths, preset.values, preset.start)
    return saved.mapping_of(preset, found.recognized)


def _count(organization: Organization, file: UsageFile, mapping: FieldMapping, found: Preview) -> None:
    head, pricer = Head(file), Pricer(organization)
    check = ingest.retention_check(organization)
    calls = FileCalls(head, mapping, check=check, skip_rejected=True)
    for call in calls:
        if found.number == MOST_ROWS or head.took_long:
            break
        found.add(call, call.cost if call.cost is not None else pricer.price(call).cost)
    found.calls, found.is_whole, found.estimated_rows = calls, head.is_whole, calls.rows
    if not head.is_whole and file.size:
        found.estimated_rows = round(calls.rows * file.size / max(file.position(), 1))


def _paths_of(file: UsageFile) -> Iterator[str]:
    """The paths to values in the first objects of a file, as a mapping names them."""
    paths: dict[str, None] = {}
    for row, _ in zip(file.first_rows(), range(20), strict=False):
        if isinstance(row, dict):
            # A name with a NUL or half a character can neither be chosen in a form nor kept.
            paths.update(dict.fromkeys(path for path in _leaves(row) if path.isprintable()))
    return iter(list(paths)[:MOST_PATHS])


def _leaves(row: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[str]:
    for key, value in row.items():
        if isinstance(value, dict) and depth < DEEPEST:
            yield from _leaves(value, f"{prefix}{key}.", depth + 1)
        elif not isinstance(value, (dict, list)):
            yield f"{prefix}{key}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
