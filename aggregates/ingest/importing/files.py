"""Reading files of usage: rows out of CSV or JSONL, plain or gzip, one at a time and in flat memory."""

import csv
import gzip
import io
import json
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

MAX_LINE = 10_000_000  # characters of a line, and of a CSV field that spans lines
STDIN = 0  # the file descriptor
GZIP = b"\x1f"  # the first byte of gzip data, and of no text

Row = list[str] | dict[str, Any]  # of CSV: in the order of its columns; of JSONL: an object


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
            is_gzip = stream.peek(1)[:1] == GZIP
        except OSError as error:
            raise UnreadableFile(error.strerror) from None
        content = opened.enter_context(gzip.GzipFile(fileobj=stream)) if is_gzip else stream
        text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape", newline="")
        yield UsageFile(stream, opened.enter_context(text))


class UsageFile:
    """Rows of a text out of a stream of bytes; `columns` are the names in CSV's header, None for JSONL."""

    def __init__(self, stream: io.BufferedReader, text: io.TextIOWrapper) -> None:
        self._stream = stream
        self.size = _size(stream)
        lines = _lines(text)
        self._first_line, first = next(((n, line) for n, line in enumerate(lines, 1) if not _blank(line)), (1, ""))
        self._lines = chain([first], lines)
        self.columns: tuple[str, ...] | None = None
        if not first:
            raise UnreadableFile("the file is empty")
        start = first.lstrip()[0]
        if start == "[":
            raise UnreadableFile(f"line {self._first_line}: expected one JSON object a line, not an array of them")
        if start != "{":
            csv.field_size_limit(MAX_LINE)
            self._reader = csv.reader(self._lines, strict=True)
            self.columns = self._header()

    def position(self) -> int:
        """How many of the file's `size` bytes have been read."""
        return self._stream.tell()

    def rows(self, reject: Reject) -> Iterator[tuple[int, Row]]:
        """Each row with the line that it starts on. What is no row goes to `reject`, which may raise to end it all."""
        return self._objects(reject) if self.columns is None else self._records(reject, len(self.columns))

    def _header(self) -> tuple[str, ...]:
        place = f"line {self._first_line}"
        try:
            columns = tuple(name.strip() for name in next(self._reader))
        except csv.Error as error:
            raise UnreadableFile(f"{place}: expected a CSV header: {error}") from None
        if any("\0" in name or not _is_unicode(name) for name in columns):
            raise UnreadableFile(f"{place}: expected UTF-8 text: CSV with a header line, or a JSON object a line")
        if twice := [name for name in columns if name and columns.count(name) > 1]:
            raise UnreadableFile(f"{place}: expected column names that differ, got “{twice[0]}” twice")
        return columns

    def _records(self, reject: Reject, width: int) -> Iterator[tuple[int, list[str]]]:
        reader = self._reader
        while True:
            line = self._first_line + reader.line_num
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reject(Rejection(line, f"expected CSV: {error}"))
                continue
            if len(row) == width:
                yield line, row
            elif not _blank("".join(row)) or len(row) > 1:
                reject(Rejection(line, f"expected {width} columns, got {len(row)}"))

    def _objects(self, reject: Reject) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(self._lines, start=self._first_line):
            if _blank(line):
                continue
            try:
                row = parse_object(line)
            except ValueError as error:
                reject(Rejection(number, str(error)))
            else:
                yield number, row


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# Fractions become Decimal: a float would not be the number that was written.
_decode = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse).decode


def parse_object(line: str) -> dict[str, Any]:
    """The JSON object on a line; raises ValueError with what was expected."""
    try:
        row = _decode(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("expected JSON with less nesting") from None
    except (ValueError, ArithmeticError):
        raise ValueError("expected JSON without NaN, Infinity and numbers of thousands of digits") from None
    if not isinstance(row, dict):
        raise ValueError("expected a JSON object")
    return row


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines, with their ends. Bytes that are not UTF-8 stay in them as lone surrogates."""
    number = 0
    try:
        while line := text.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise UnreadableFile(f"line {number}: expected at most {MAX_LINE:,} characters")
            yield line
    except EOFError:
        raise UnreadableFile(f"after line {number}: the gzip data ends too early") from None
    except (gzip.BadGzipFile, zlib.error):
        raise UnreadableFile(f"after line {number}: the gzip data is damaged") from None
    except OSError as error:
        raise UnreadableFile(f"after line {number}: {error.strerror}") from None


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
