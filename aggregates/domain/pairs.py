"""Pairs that a field of a call holds: an object by name, or the same written as JSON text."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal


def pairs_of(value: object, longest: int, expected: str) -> Iterable[tuple[object, object]]:
    """Read the pairs of an object, of its JSON text of at most so many characters, or of a tuple of pairs.

    Numbers are exact. Raises ValueError that says what was `expected`.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal) if len(value) <= longest else None
        except (ValueError, ArithmeticError, RecursionError):
            value = None
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, tuple):
        return value
    raise ValueError(f"expected {expected}")
