"""The values of a body that is whole and as nearly all are, read at once, and exactly as `json.decode` reads them.

A value that this is not sure of is left to that; and a body of which anything is wrong, to `rows`, which says what.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from json import JSONDecodeError

import msgspec

from aggregates.api.json import decode
from aggregates.api.problems import ApiError

MOST = 4_000_000  # bytes of a body, decompressed: of a larger one not all is kept in memory
COMMAS = 50  # of a call at most, with the one behind it: a body of more may have more elements than are taken
SPACES = b" \t\n\r"
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, object], float_hook=Decimal)


class Unusual(Exception):
    """A body has to be read piece by piece."""


def taken_whole(pieces: Iterator[bytes]) -> tuple[bytes | None, Iterator[bytes]]:
    """Take the pieces of a body, and give them again; together None where they are too large, or broken off."""
    taken: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            taken.append(piece)
            size += len(piece)
            if size > MOST:
                return None, chain(taken, pieces)
    except ApiError as error:
        return None, chain(taken, _raising(error))
    return b"".join(taken), iter(taken)


def _raising(error: ApiError) -> Iterator[bytes]:
    raise error
    yield


def document_values(body: bytes, longest: int, most: int) -> list[object]:
    """Read the elements of an array, at most so many, or one value alone, each of at most so many characters; raises
    Unusual."""
    body = body.strip(SPACES)
    if body[:1] != b"[":
        return _values([body], longest)
    if body.count(b",") > most * COMMAS:
        raise Unusual
    try:
        elements = _elements.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Unusual from None
    if len(elements) > most:
        raise Unusual
    return _values(list(map(bytes, elements)), longest)


def line_values(body: bytes, longest: int, most: int) -> list[object]:
    """Read a value a line, of at most so many, blank ones included; raises Unusual."""
    lines = body.split(b"\n")
    if len(lines) > most:
        raise Unusual
    return _values([line for line in lines if line.strip(SPACES)], longest)


def _values(written: list[bytes], longest: int) -> list[object]:
    if max(map(len, written), default=0) > longest:
        raise Unusual
    try:
        return list(map(_value, written))
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise Unusual from None


def _value(written: bytes) -> object:
    """Read a value. Of a plain object the quotation marks tell whether each name was there once."""
    if b"\\" in written or b"[" in written:
        return _any_value(written)
    try:
        found = _object.decode(written)
    except (msgspec.DecodeError, ArithmeticError, RecursionError):
        return _any_value(written)
    texts = _texts_in(found)
    if written.count(b'"') != 2 * texts:
        texts += sum(_texts_in(inner) for inner in found.values() if type(inner) is dict)
        if written.count(b'"') != 2 * texts:
            return _any_value(written)
    return found


def _texts_in(found: dict[str, object]) -> int:
    return len(found) + list(map(type, found.values())).count(str)


def _any_value(written: bytes) -> object:
    text = written.decode().strip(" \t\n\r")
    found, end = decode(text, 0)
    if end != len(text):
        raise Unusual
    return found
