"""The rows of a body, one after the other and in little memory: of a JSON document, or of JSON lines."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from json import JSONDecodeError

from django.http import HttpRequest

from aggregates.api.body import bytes_of, check_charset, decoded
from aggregates.api.json import Repeated, decode
from aggregates.api.problems import ApiError
from aggregates.api.usual_rows import Unusual, document_values, line_values, taken_whole

MAX_ROWS = 10_000
MAX_LINES = 100_000  # of JSON lines, blank ones with them: to look for a row in each is work
MAX_ROW = 16_384  # characters: more than the fields of a call can fill, also where all is escaped
SPACES = " \t\n\r"
SPACE = re.compile(f"[{SPACES}]*")
DOCUMENT = ("application/json",)
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class BadRow(ValueError):
    """What cannot be read as a row; the message says what was expected."""


TOO_DEEP = BadRow("expected JSON with less nesting")

Row = Mapping[str, object] | BadRow


def rows_of(request: HttpRequest, *, longest: int = MAX_ROW, sequence: bool = False) -> Iterator[Row]:
    """At most MAX_ROWS; raises ApiError, also on the way, so nothing is to be recorded before they have ended.

    With `sequence`, what is called a JSON document may also be several, one after the other.
    """
    if request.content_type not in (*DOCUMENT, *LINES):
        expected = f"{DOCUMENT[0]} (one call, or an array of them) or {LINES[0]} (a call a line)"
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Expected the Content-Type {expected}.")
    is_document = request.content_type in DOCUMENT
    check_charset(request)
    body, pieces = taken_whole(bytes_of(request))
    rows: Iterable[Row]
    try:
        if body is None or sequence:
            raise Unusual
        rows = map(
            as_row, document_values(body, longest, MAX_ROWS) if is_document else line_values(body, longest, MAX_LINES)
        )
    except Unusual:
        text = decoded(pieces)
        rows = document_rows(text, longest, sequence) if is_document else line_rows(text, longest)
    for number, row in enumerate(rows):
        if number == MAX_ROWS:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected at most {MAX_ROWS:,} calls in a request.")
        yield row


def document_rows(pieces: Iterator[str], longest: int = MAX_ROW, sequence: bool = False) -> Iterator[Row]:
    """The elements of an array, or one value alone. From an error on, nobody knows where rows begin: it refuses all."""
    text = _Text(pieces, longest)
    try:
        if text.peek() == "[":
            yield from _elements(text)
        else:
            yield as_row(text.value())
        while sequence and text.peek():
            yield as_row(text.value())
        if text.peek():
            raise BadRow("expected nothing after the end of the document")
    except BadRow as bad:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"Row {text.values}: {bad}.") from None


def _elements(text: "_Text") -> Iterator[Row]:
    text.skip("[")
    if text.peek() != "]":
        yield as_row(text.value())
        while text.takes(","):
            yield as_row(text.value())
    text.skip("]")


def line_rows(pieces: Iterator[str], longest: int = MAX_ROW) -> Iterator[Row]:
    """A value a line, each by itself; blank lines are none. Raises ApiError on the way."""
    for number, line in enumerate(_lines(pieces, longest)):
        if number == MAX_LINES:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected at most {MAX_LINES:,} lines in a request.")
        if line.strip(" \t\r"):
            yield _of_line(line, longest)


def _lines(pieces: Iterator[str], longest: int) -> Iterator[str]:
    """The lines, without their ends; of one that is too long only so much that it shows."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        yield from whole
        rest = rest[: longest + 1]
    yield rest


def _of_line(line: str, longest: int) -> Row:
    if len(line) > longest:
        return _too_long(longest)
    text = _Text(iter([line]), longest)
    try:
        value = text.value()
        if text.peek():
            raise BadRow("expected one JSON object a line")
    except BadRow as bad:
        return bad
    return as_row(value)


def _too_long(longest: int) -> BadRow:
    return BadRow(f"expected at most {longest:,} characters")


def as_row(value: object) -> Row:
    if isinstance(value, Repeated):
        return BadRow("expected each field once")
    return value if isinstance(value, dict) else BadRow("expected a JSON object")


class _Text:
    """JSON values out of text that comes in pieces, of which only the next ones are kept."""

    def __init__(self, pieces: Iterator[str], longest: int) -> None:
        self._pieces = pieces
        self._longest = longest
        self._text = ""
        self._at = 0
        self._ended = False
        self.values = 0  # that were read so far

    def _fill(self) -> None:
        """See to it that a longest row lies ahead, or all that is left."""
        while not self._ended and len(self._text) - self._at <= self._longest:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
            else:
                self._text, self._at = self._text[self._at :] + piece, 0

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            self._fill()
            if self._text[self._at : self._at + 1] in SPACES:  # also where there is nothing
                space = SPACE.match(self._text, self._at)
                self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""

    def takes(self, character: str) -> bool:
        """Whether this is the next character; if so, go on after it."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def skip(self, character: str) -> None:
        if not self.takes(character):
            raise BadRow(f"expected JSON: “{character}”" if self._at < len(self._text) else "the JSON ends too early")

    def value(self) -> object:
        """The next value; raises BadRow."""
        self.peek()
        self._fill()
        start = self._at
        try:
            found, self._at = decode(self._text, start)
        except RecursionError:
            raise TOO_DEEP from None
        except JSONDecodeError as error:
            # Where there is more text, what seems to break off here may only go on beyond the longest row.
            broke_off = error.msg.startswith("Unterminated") or error.pos > start + self._longest - 10
            too_long = broke_off and not self._ended
            raise (_too_long(self._longest) if too_long else BadRow(f"expected JSON: {error.msg}")) from None
        if self._at - start > self._longest:
            raise _too_long(self._longest)
        self.values += 1
        return found
