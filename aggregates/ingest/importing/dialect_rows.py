"""Fields out of rows of a dialect: what its reader makes of them, and on top what was mapped and set."""

from collections.abc import Iterator, Sequence
from typing import Any

from aggregates.ingest.dialects.rows import Fields, Reader
from aggregates.ingest.fitting import Misfit, with_persons
from aggregates.ingest.importing.mappings import MISSING, FieldMapping, MappingError, gather, listed, quoted, terms_of


class DialectRows:
    """Of objects, or of the records of a CSV file with these columns."""

    def __init__(self, reader: Reader, mapping: FieldMapping, columns: Sequence[str] | None) -> None:
        self._reader = reader
        self._terms = {name: terms_of(name, path, columns or ()) for name, path in mapping.paths.items()}
        self._mapping = mapping
        self._columns = columns
        self._not_found = dict.fromkeys(term for terms in self._terms.values() for term in terms)
        self.unused: list[str] = []  # a dialect has its own reasons
        for column in self._not_found if columns is not None else ():
            if column not in (columns or ()):
                raise MappingError(f"there is no column {quoted(column)}; the {listed(columns or ())}")

    @property
    def never_found(self) -> list[str]:
        return list(self._not_found)

    def fields(self, row: Any, misfits: list[Misfit]) -> Iterator[Fields]:
        """Of each call that the row tells of; what did not fit is added to the misfits. Raises InvalidCall."""
        named: dict[str, Any] = row if self._columns is None else dict(zip(self._columns, row, strict=True))
        mapped: Fields = dict(self._mapping.values)
        for name, terms in self._terms.items():
            value = gather(named, name, terms, self._not_found)
            if value is not MISSING:
                mapped[name] = value
        for fields in self._reader(named, misfits):
            yield {**with_persons(fields), **mapped}
