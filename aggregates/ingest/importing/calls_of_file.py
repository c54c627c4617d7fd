"""The calls in a usage file, read by a mapping."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from aggregates.domain.calls import Call, InvalidCall, parse_call
from aggregates.domain.formats import excerpt
from aggregates.domain.usual_calls import usual_call, usual_text_call
from aggregates.ingest.dialects.rows import Fields, Reader
from aggregates.ingest.fitting import Misfit, fitting_row
from aggregates.ingest.importing.dialect_rows import DialectRows
from aggregates.ingest.importing.files import Rejection, Rows
from aggregates.ingest.importing.mappings import Columns, FieldMapping, Keys, after

MAX_KEPT = 20  # rejections that are kept to be shown; of the others only their number. And kinds of misfits
OTHERS = Misfit("", "others")


class RowRejected(Exception):
    """A row is no call; the message says on which line and why."""


class FileCalls:
    """Iterates over the calls once, and then tells about the rows.

    A row that is no call raises RowRejected, or with `skip_rejected` is counted. Of a dialect's row a field that does
    not fit, and was not mapped or set, is shortened or left out. Raises UnreadableFile, too, and at once MappingError
    if the mapping does not fit the file.
    """

    def __init__(
        self,
        file: Rows,
        mapping: FieldMapping,
        *,
        check: Callable[[Call], None] = lambda call: None,
        skip_rejected: bool = False,
    ) -> None:
        self._file = file
        self._start = mapping.start
        self._check = check  # raises InvalidCall for one that is not wanted
        self._skip_rejected = skip_rejected
        self._in_pieces = mapping.in_pieces
        self._reader = mapping.reader(mapping.labels) if mapping.reader else None
        self._given = {*mapping.paths, *mapping.values}
        self._source = _source(mapping, self._reader, file.columns)
        self.rows = 0
        self.left_out = 0  # rows of a kind that the mapping does not want
        self.pieces = 0  # rows that say less about a call than another one
        self.rejected = 0
        self.rejections: list[Rejection] = []  # the first of them
        self.misfits = Counter[Misfit]()

    @property
    def unused(self) -> list[str]:
        """Columns, or JSON paths that some row had, which no field came from: safe to show and to keep."""
        return [excerpt(name) for name in self._source.unused]

    @property
    def never_found(self) -> list[str]:
        """Mapped JSON paths that no row had."""
        never_found: list[str] = self._source.never_found
        return never_found

    def __iter__(self) -> Iterator[Call]:
        return self._whole(self._calls()) if self._in_pieces else self._calls()

    def _calls(self) -> Iterator[Call]:
        start = self._start
        fields_of: Callable[[Any, list[Misfit]], Iterable[Fields]]
        fields_of = self._source.fields if self._reader else self._at_most_one
        usual = usual_call if self._reader or self._file.columns is None else usual_text_call
        for line, row in self._file.rows(self._reject_line):
            self.rows += 1
            calls = 0
            misfits: list[Misfit] = []
            try:
                for calls, fields in enumerate(fields_of(row, misfits), 1):  # noqa: B007
                    if start:
                        fields["timestamp"] = _after(start, fields.get("timestamp"))
                    call = usual(fields) or self._parsed(fields, misfits)
                    self._check(call)
                    self._count(misfits)
                    misfits.clear()
                    yield call
            except InvalidCall as invalid:
                self._reject(Rejection(line, str(invalid)))
            else:
                self.left_out += not calls

    def _parsed(self, fields: Fields, misfits: list[Misfit]) -> Call:
        try:
            return parse_call(fields)
        except InvalidCall:
            if not self._reader:
                raise
        return fitting_row(fields, misfits, self._given)

    def _count(self, misfits: Iterable[Misfit]) -> None:
        """Count each that is told of a call once; what was mapped or set is not lost."""
        told = (misfit._replace(reason=misfit.reason.partition(", got ")[0]) for misfit in misfits)
        for misfit in dict.fromkeys(misfit for misfit in told if misfit.field not in self._given):
            self.misfits[misfit if misfit in self.misfits or len(self.misfits) < MAX_KEPT else OTHERS] += 1

    def _at_most_one(self, row: Any, misfits: list[Misfit]) -> tuple[Fields, ...]:
        fields: Fields | None = self._source.fields(row)
        return () if fields is None else (fields,)

    def _whole(self, pieces: Iterator[Call]) -> Iterator[Call]:
        """Of pieces with the same request_id the one with the most output, and the most units; the first of several.

        Not so what the reader tells, at the end, to be another call that was written again.
        """
        longest: dict[str, Call] = {}
        for piece in pieces:
            known = longest.setdefault(piece.request_id, piece)
            if not piece.request_id:
                yield piece
            elif known is not piece:
                self.pieces += 1
                if _fullness(piece) > _fullness(known):
                    longest[piece.request_id] = piece
        longest.pop("", None)
        repeats = getattr(self._reader, "repeats", None)
        is_repeated = repeats() if repeats else lambda request_id: False
        for request_id, call in longest.items():
            if is_repeated(request_id):
                self.pieces += 1
            else:
                yield call

    def _reject_line(self, rejection: Rejection) -> None:
        self.rows += 1
        self._reject(rejection)

    def _reject(self, rejection: Rejection) -> None:
        if not self._skip_rejected:
            raise RowRejected(str(rejection))
        self.rejected += 1
        if len(self.rejections) < MAX_KEPT:
            self.rejections.append(rejection)


def _fullness(piece: Call) -> tuple[int, Decimal]:
    return piece.output_tokens, sum((quantity for _, quantity in piece.units), Decimal())


def _source(mapping: FieldMapping, reader: Reader | None, columns: tuple[str, ...] | None) -> Any:
    if reader:
        return DialectRows(reader, mapping, columns)
    return Keys(mapping) if columns is None else Columns(mapping, columns)


def _after(start: datetime, seconds: object) -> datetime | None:
    try:
        return None if seconds in (None, "") else after(start, seconds)
    except ValueError as error:
        raise InvalidCall("timestamp", str(error)) from None
