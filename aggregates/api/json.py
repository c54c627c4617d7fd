"""JSON as it was written: numbers exactly, and nothing that JSON does not have."""

from decimal import Decimal, InvalidOperation
from functools import partial
from json import JSONDecodeError, JSONDecoder
from typing import Any

MAX_DIGITS = 4_300  # as many as Python reads of a whole number
NO_NUMBER = float("nan")  # floats stand for what is no number: NaN, Infinity, and numbers beyond all reason


class Repeated(dict[str, Any]):
    """An object that has a key more than once."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(found)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else NO_NUMBER


def _fraction(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:  # its exponent
        return NO_NUMBER


_decoder = partial(JSONDecoder, object_pairs_hook=_object, parse_float=_fraction, parse_constant=lambda _: NO_NUMBER)
_usual, _of_long_numbers = _decoder(), _decoder(parse_int=_whole)


def decode(text: str, start: int) -> tuple[object, int]:
    """Read the value that begins at `start`: it, and where it ends.

    Raises JSONDecodeError, and RecursionError where the nesting is too deep.
    """
    try:
        return _usual.raw_decode(text, start)
    except JSONDecodeError:
        raise
    except ValueError:  # a whole number is too long for Python; looking at each takes longer than all else
        return _of_long_numbers.raw_decode(text, start)
