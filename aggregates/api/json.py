"""JSON as it was written: numbers exactly, and nothing that JSON does not have."""

from decimal import Decimal, InvalidOperation
from json import JSONDecoder
from typing import Any

MAX_DIGITS = 100
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


# `raw_decode` raises JSONDecodeError, and RecursionError where the nesting is too deep.
decoder = JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=lambda _: NO_NUMBER
)
