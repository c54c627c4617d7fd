"""Mappings: which field of a call comes from where in the rows of somebody's file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from aggregates.domain.calls import CHECKS, FIELDS, REQUIRED, InvalidCall
from aggregates.domain.formats import excerpt
from aggregates.domain.numbers import read_decimal
from aggregates.ingest.dialects.rows import Fields, Reader

MAX_SHOWN = 50  # names of unused keys: a file may have new ones in every row
MISSING = object()
NUMBERS = {"latency_ms", "cost", *(name for name in FIELDS if name.endswith("_tokens"))}  # that can be added up


class MappingError(Exception):
    """A mapping that makes no sense, or does not fit the file: `problem` says it, `hint` what to tell the command."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem + hint)
        self.problem = problem


class Only(NamedTuple):
    """The rows that are calls: those where this path has this value."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where fields come from: `paths` by CSV column or JSON path, `values` the same for every row.

    A path “a+b” adds up a and b, for a field that is a number. Other fields come from the column or key of their own
    name, unless `own_names` is false, or from what the `reader` of a dialect, made for each file, makes of the row.
    `labels` are the keys that it keeps as labels, where a dialect leaves that to the organization. With `start`,
    timestamps are seconds from then. With `in_pieces`, rows of the same request_id are pieces of one call, and the one
    with the most output tokens is the call.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    own_names: bool = True
    start: datetime | None = None
    only: Only | None = None
    reader: Callable[[Collection[str]], Reader] | None = None
    labels: tuple[str, ...] = ()
    in_pieces: bool = False

    def overridden(self, paths: Mapping[str, str], values: Mapping[str, str], start: datetime | None) -> "FieldMapping":
        """This mapping, with these fields from elsewhere; raises MappingError."""
        for name in (*paths, *values):
            if name not in FIELDS:
                raise MappingError(f"there is no field “{name}”; the fields are: {', '.join(FIELDS)}")
            if name in paths and name in values:
                raise MappingError(f"{name} is both mapped and set")
        for name, value in values.items():
            _check_value(name, value, start)
        return replace(
            self,
            paths={**{name: path for name, path in self.paths.items() if name not in values}, **paths},
            values={**{name: value for name, value in self.values.items() if name not in paths}, **values},
            start=start or self.start,
        )

    def of_own_name(self) -> list[str]:
        return [name for name in FIELDS if name not in self.paths and name not in self.values and self.own_names]


def _check_value(name: str, value: str, start: datetime | None) -> None:
    try:
        if not value and name in REQUIRED:
            raise ValueError("expected a value")
        if name == "timestamp" and start:
            after(start, value)
        elif value:
            CHECKS[name](value)
    except ValueError as error:
        raise MappingError(f"{name}: {error}") from None


def after(start: datetime, seconds: object) -> datetime:
    """The instant so many seconds after start; raises ValueError."""
    try:
        return start + timedelta(microseconds=int(read_decimal(seconds) * 1_000_000))
    except (ValueError, ArithmeticError):
        raise ValueError("expected a number of seconds after --start") from None


class Columns:
    """Fields out of the records of a CSV file with these columns."""

    def __init__(self, mapping: FieldMapping, columns: Sequence[str]) -> None:
        self._mapping = mapping
        paths = {**{name: name for name in mapping.of_own_name() if name in columns}, **mapping.paths}
        self._sources = [(name, terms_of(name, paths[name], columns)) for name in FIELDS if name in paths]
        used = [*(term for _, terms in self._sources for term in terms), *([mapping.only.path] if mapping.only else [])]
        for column in used:
            if column not in columns:
                raise MappingError(f"there is no column {quoted(column)}; the {listed(columns)}")
        told = {*paths, *mapping.values}
        for name in REQUIRED:
            if name not in told and (name != "model" or "kind" not in told):  # a charge needs no model
                others = " or --set model=NAME, or that all rows are charges with --set kind=charge"
                raise MappingError(
                    f"no column is called {name}",
                    f": say which it is with --map {name}=COLUMN{others if name == 'model' else ''}; "
                    f"the {listed(columns)}",
                )
        self._indexes = [(name, [columns.index(term) for term in terms]) for name, terms in self._sources]
        self._are_alone = all(len(at) == 1 for _, at in self._indexes)
        self._names = [name for name, _ in self._indexes]
        self._values = itemgetter(*(at[0] for _, at in self._indexes), 0)  # one more, so that it always gives a tuple
        self._only = (columns.index(mapping.only.path), mapping.only.value) if mapping.only else None
        self.unused = [column for column in columns if column not in used]
        self.never_found: list[str] = []

    def fields(self, row: list[str]) -> Fields | None:
        """None if the row is of a kind that is left out."""
        if self._only and row[self._only[0]] != self._only[1]:
            return None
        if self._are_alone:  # as nearly always, and several times as fast
            return {**self._mapping.values, **dict(zip(self._names, self._values(row), strict=False))}
        return {**self._mapping.values, **{name: _joined(name, [row[i] for i in at]) for name, at in self._indexes}}


class Keys:
    """Fields out of the objects of a JSONL file; what is in them and not used is noted on the way."""

    def __init__(self, mapping: FieldMapping) -> None:
        self._mapping = mapping
        self._paths = {**{name: name for name in mapping.of_own_name()}, **mapping.paths}
        self._terms = {name: terms_of(name, path) for name, path in self._paths.items()}
        self._not_found = dict.fromkeys(term for name in mapping.paths for term in self._terms[name])
        every = (term for terms in self._terms.values() for term in terms)
        self._used = {*every, *([mapping.only.path] if mapping.only else [])}
        self._nested = {path[:end] for path in self._used for end in range(len(path)) if path[end] == "."}
        self._unused: dict[str, None] = {}

    @property
    def unused(self) -> list[str]:
        return list(self._unused)

    @property
    def never_found(self) -> list[str]:
        return list(self._not_found)

    def fields(self, row: dict[str, Any]) -> Fields | None:
        """None if the row is of a kind that is left out."""
        only = self._mapping.only
        if only and find(row, only.path) != only.value:
            return None
        self._note_unused(row, "")
        fields: Fields = dict(self._mapping.values)
        for name, terms in self._terms.items():
            value = gather(row, name, terms, self._not_found)
            if value is not MISSING:
                fields[name] = value
        return fields

    def _note_unused(self, row: dict[str, Any], prefix: str) -> None:
        for key, value in row.items():
            path = prefix + key
            if path in self._used:
                continue
            if path in self._nested and isinstance(value, dict):
                self._note_unused(value, f"{path}.")
            elif len(self._unused) <= MAX_SHOWN:  # one more tells that there are more
                self._unused[path] = None


def terms_of(name: str, path: str, columns: Sequence[str] = ()) -> list[str]:
    """The paths that a path “a+b” adds up; the path itself where the field is no number, or a column is called so."""
    if name not in NUMBERS or path in columns or "+" not in path:
        return [path]
    return [term.strip() for term in path.split("+")]


def gather(row: dict[str, Any], name: str, terms: Sequence[str], not_found: dict[str, None]) -> object:
    """What a field has at these paths, MISSING if nothing; takes those that were found out of `not_found`."""
    found = []
    for term in terms:
        value = find(row, term)
        if value is not MISSING:
            found.append(value)
            not_found.pop(term, None)
    return _joined(name, found) if found else MISSING


def _joined(name: str, values: Sequence[object]) -> object:
    """The one value, or the sum of the numbers that are given among several; raises InvalidCall."""
    if len(values) == 1:
        return values[0]
    given = [value for value in values if value is not None and value != ""]
    try:
        if any(isinstance(value, bool) for value in given):
            raise ValueError
        return sum((read_decimal(value) for value in given), Decimal()) if given else None
    except (ValueError, ArithmeticError):
        raise InvalidCall(name, "expected numbers to add up") from None


def find(row: dict[str, Any], path: str) -> object:
    """What a path leads to, MISSING if nowhere. Dots lead into objects, but OpenTelemetry's keys have dots themselves:
    what remains of a path is first tried as a key.
    """
    if path in row:
        found: object = row[path]
        return found
    head, _, rest = path.partition(".")
    inner = row.get(head)
    return find(inner, rest) if rest and isinstance(inner, dict) else MISSING


def listed(columns: Sequence[str]) -> str:
    """The columns of a file in words, the first of them if there are many; behind “the”."""
    more = f" and {len(columns) - MAX_SHOWN:,} more" if len(columns) > MAX_SHOWN else ""
    return f"columns are: {', '.join(map(quoted, columns[:MAX_SHOWN]))}{more}"


def quoted(name: str) -> str:
    """A name out of somebody's file, safe to show on a terminal."""
    return f"“{excerpt(name)}”"
