"""The calls in a usage file, read by a mapping."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from aggregates.calls import Call, InvalidCall, parse_call
from aggregates.importing.files import Rejection, UsageFile
from aggregates.importing.mappings import Columns, FieldMapping, Fields, Keys, after

MAX_KEPT = 20  # rejections that are kept to be shown; of the others only their number


class RowRejected(Exception):
    """A row is no call; the message says on which line and why."""


class FileCalls:
    """Iterates over the calls once, and then tells about the rows.

    A row that is no call raises RowRejected, or with `skip_rejected` is counted. Raises UnreadableFile, too, and at
    once MappingError if the mapping does not fit the file.
    """

    def __init__(
        self,
        file: UsageFile,
        mapping: FieldMapping,
        *,
        check: Callable[[Call], None] = lambda call: None,
        skip_rejected: bool = False,
    ) -> None:
        self._file = file
        self._start = mapping.start
        self._check = check  # raises InvalidCall for one that is not wanted
        self._skip_rejected = skip_rejected
        self._source = Keys(mapping) if file.columns is None else Columns(mapping, file.columns)
        self.left_out = 0  # rows of a kind that the mapping does not want
        self.rejected = 0
        self.rejections: list[Rejection] = []  # the first of them

    @property
    def unused(self) -> list[str]:
        """Columns, or JSON paths that some row had, which no field came from."""
        return self._source.unused

    @property
    def never_found(self) -> list[str]:
        """Mapped JSON paths that no row had."""
        return self._source.never_found

    def __iter__(self) -> Iterator[Call]:
        start = self._start
        fields_of: Callable[[Any], Fields | None] = self._source.fields
        for line, row in self._file.rows(self._reject):
            fields = fields_of(row)
            if fields is None:
                self.left_out += 1
                continue
            try:
                if start:
                    fields["timestamp"] = _after(start, fields.get("timestamp"))
                call = parse_call(fields)
                self._check(call)
            except InvalidCall as invalid:
                self._reject(Rejection(line, str(invalid)))
            else:
                yield call

    def _reject(self, rejection: Rejection) -> None:
        if not self._skip_rejected:
            raise RowRejected(str(rejection))
        self.rejected += 1
        if len(self.rejections) < MAX_KEPT:
            self.rejections.append(rejection)


def _after(start: datetime, seconds: object) -> datetime | None:
    try:
        return None if seconds in (None, "") else after(start, seconds)
    except ValueError as error:
        raise InvalidCall("timestamp", str(error)) from None
