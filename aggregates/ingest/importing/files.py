"""Reading files of usage: rows out of CSV or JSON, plain or gzip, one at a time and in flat memory."""

import csv
import gzip
import io
import os
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from aggregates.ingest.importing.decoding import decoder, explained
from aggregates.ingest.importing.documents import MAX_DOCUMENT, BrokenDocument, documents, is_beginning

MAX_LINE = 10_000_000  # characters of a line, and of a CSV field that spans lines
MAX_COLUMNS = 16_384  # as many as spreadsheets have
STDIN = 0  # the file descriptor
GZIP = b"\x1f"  # the first byte of gzip data, and of no text
# How files begin that are no text, or in another encoding, and what they are.
OTHERS = (
    (b"PK\x03\x04", "a ZIP archive or a workbook: unpack it, or save the sheet as CSV"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"BZh", "bzip2 data: unpack it first"),
    (b"\xfd7zXZ", "xz data: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd data: unpack it first"),
    (b"PAR1", "a Parquet file: save it as CSV or JSON lines"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database: export the table as CSV"),
    (b"\xff\xfe", "text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it as UTF-8"),
)

HEAD_ROWS, HEAD_CHARACTERS = 1000, 10_000_000  # that are looked at to recognise a file

Row = list[str] | dict[str, Any]  # of CSV: in the order of its columns; of JSON: an object
_Item = tuple[int, Row | str]  # a row, or why it is none, with its line


class UnreadableFile(Exception):
    """No row, or none from some line on, can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is no call: the line of the file on which it starts, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


Reject = Callable[[Rejection], None]


class Rows(Protocol):
    """What has rows of calls: a file, or the head of one."""

    columns: tuple[str, ...] | None

    def rows(self, reject: Reject) -> Iterator[tuple[int, Row]]: ...


@contextmanager
def open_usage_file(path: str) -> Iterator["UsageFile"]:
    """`-` is standard input. Raises UnreadableFile, also while rows are read."""
    if path == "-" and sys.__stdin__ is None:  # its number may be that of any other file then
        raise UnreadableFile("it is closed")
    with ExitStack() as opened:
        try:
            # Standard input by number: it is no more than bytes, and stays open.
            stdin = path == "-"
            stream = opened.enter_context(open(STDIN if stdin else path, "rb", closefd=not stdin))
            size = _size(stream)
        except OSError as error:
            raise UnreadableFile(error.strerror) from None
        yield opened.enter_context(open_usage_stream(stream, size))


@contextmanager
def open_usage_stream(
    stream: io.BufferedReader,
    size: int | None,
    most_unpacked: int | None = None,
    most_of_object: int = MAX_DOCUMENT,
) -> Iterator["UsageFile"]:
    """A file out of any stream of so many bytes. Raises UnreadableFile, also while rows are read: as well where gzip
    data unpacks to more than so many bytes, or an object of JSON has more than so many characters."""
    with ExitStack() as opened:
        try:
            begin = stream.peek(16)[:16]
        except OSError as error:
            raise UnreadableFile(error.strerror) from None
        if other := next((words for sign, words in OTHERS if begin.startswith(sign)), ""):
            raise UnreadableFile(f"expected CSV with a header line, or JSON, plain or gzip; got {other}")
        content: Any = stream
        if begin.startswith(GZIP):
            content = opened.enter_context(_Unpacked(fileobj=stream))
            content.most = most_unpacked
        text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape", newline="")
        yield UsageFile(stream, opened.enter_context(text), size, most_of_object)


class _Unpacked(gzip.GzipFile):
    """What gzip data holds, up to `most` bytes: a small file may hold a huge one."""

    most: int | None = None

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def _counted(self, piece: bytes) -> bytes:
        if self.most is not None and self.tell() > self.most:
            raise UnreadableFile(f"expected gzip data that unpacks to at most {self.most:,} bytes")
        return piece


class UsageFile:
    """Rows of a text out of a stream of bytes; `columns` are the names in CSV's header, None for JSON.

    JSON is an object a line, or else an array of objects, or objects over several lines each.
    """

    def __init__(
        self, stream: io.BufferedReader, text: io.TextIOWrapper, size: int | None, most_of_object: int
    ) -> None:
        self._stream = stream
        self.size = size
        self._line = 0  # that was read last
        self._text = text
        self._most_of_object = most_of_object
        lines = self._lines()
        first = next((line for line in lines if not _blank(line)), "")
        self._first_line = max(self._line, 1)
        self._head: list[_Item] = []  # what was looked at and is still to be read
        self._characters = 0  # of JSON that was read
        self.columns: tuple[str, ...] | None = None
        if not first:
            raise UnreadableFile("the file is empty")
        start = first.lstrip()[0]
        if start == "[" or (start == "{" and is_beginning(first)):
            self._items = self._documents(first)
        elif start == "{":
            self._items = self._objects(chain([first], lines))
        else:
            csv.field_size_limit(MAX_LINE)
            self._reader = csv.reader(chain([first], lines), strict=True)
            self.columns = self._header()
            self._items = self._records(len(self.columns))

    def position(self) -> int:
        """How many of the file's `size` bytes have been read."""
        return self._stream.tell()

    def rows(self, reject: Reject) -> Iterator[tuple[int, Row]]:
        """Each row with the line that it starts on. What is no row goes to `reject`, which may raise to end it all."""
        for line, row in chain(self._head, self._items):
            if isinstance(row, str):
                reject(Rejection(line, row))
            else:
                yield line, row

    def first_rows(self) -> Iterator[Row]:
        """Some of the first rows, to look at: `rows` still gives them all, if it is called afterwards."""
        yield from [row for _, row in self._head if not isinstance(row, str)]
        while len(self._head) < HEAD_ROWS and self._characters < HEAD_CHARACTERS:
            item = next(self._items, None)
            if item is None:
                return
            self._head.append(item)
            if not isinstance(item[1], str):
                yield item[1]

    def _header(self) -> tuple[str, ...]:
        place = f"line {self._first_line}"
        try:
            columns = tuple(name.strip() for name in next(self._reader))
        except csv.Error as error:
            raise UnreadableFile(f"{place}: expected a CSV header: {error}") from None
        if any("\0" in name or not _is_unicode(name) for name in columns):
            raise UnreadableFile(f"{place}: expected UTF-8 text: CSV with a header line, or a JSON object a line")
        if len(columns) > MAX_COLUMNS:
            raise UnreadableFile(f"{place}: expected at most {MAX_COLUMNS:,} columns, got {len(columns):,}")
        if twice := [name for name, times in Counter(columns).items() if name and times > 1]:
            raise UnreadableFile(f"{place}: expected column names that differ, got “{twice[0]}” twice")
        return columns

    def _records(self, width: int) -> Iterator[_Item]:
        reader = self._reader
        while True:
            line = self._first_line + reader.line_num
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, f"expected CSV: {error}"
                continue
            if len(row) == width:
                yield line, row
            elif not _blank("".join(row)) or len(row) > 1:
                yield line, f"expected {width} columns, got {len(row)}"

    def _objects(self, lines: Iterator[str]) -> Iterator[_Item]:
        for number, line in enumerate(lines, start=self._first_line):
            if _blank(line):
                continue
            self._characters += len(line)
            try:
                yield number, _object(decoder.decode(line))
            except (ValueError, ArithmeticError, RecursionError) as error:
                yield number, explained(error)

    def _documents(self, first: str) -> Iterator[_Item]:
        try:
            for line, value, length in documents(first, self._first_line, self._read, self._most_of_object):
                self._characters += length
                yield line, _object(value)
        except BrokenDocument as broken:
            raise UnreadableFile(str(broken)) from None

    def _lines(self) -> Iterator[str]:
        """The lines, with their ends. Bytes that are not UTF-8 stay in them as lone surrogates."""
        while line := self._guarded(self._text.readline, MAX_LINE + 1):
            self._line += 1
            if len(line) > MAX_LINE and not line.startswith("["):  # an array may be one line
                raise UnreadableFile(f"line {self._line}: expected at most {MAX_LINE:,} characters")
            yield line

    def _read(self, characters: int) -> str:
        chunk = self._guarded(self._text.read, characters)
        self._line += chunk.count("\n")
        return chunk

    def _guarded(self, read: Callable[[int], str], characters: int) -> str:
        try:
            return read(characters)
        except EOFError:
            raise UnreadableFile(f"after line {self._line}: the gzip data ends too early") from None
        except (gzip.BadGzipFile, zlib.error):
            raise UnreadableFile(f"after line {self._line}: the gzip data is damaged") from None
        except OSError as error:
            raise UnreadableFile(f"after line {self._line}: {error.strerror}") from None


def _object(value: object) -> dict[str, Any] | str:
    return value if isinstance(value, dict) else "expected a JSON object"


def _blank(line: str) -> bool:
    return not line or line.isspace()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size(stream: io.BufferedReader) -> int | None:
    """In bytes; None if it is no regular file, so that nobody knows before its end."""
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
