"""JSON as files of usage have it: numbers exactly as written, and errors in words."""

import json
from decimal import Decimal


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# Fractions become Decimal: a float would not be the number that was written.
decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def explained(error: Exception, start: int = 0) -> str:
    """What was expected where decoding a text from a start on failed."""
    if isinstance(error, json.JSONDecodeError):
        return f"expected JSON: {error.msg} at character {error.pos - start + 1}"
    if isinstance(error, RecursionError):
        return "expected JSON with less nesting"
    return "expected JSON without NaN, Infinity and numbers of thousands of digits"
