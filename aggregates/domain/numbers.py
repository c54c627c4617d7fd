"""Numbers out of what others send, as everybody writes them: 12, -0.5, 1e-6.

Python's own reading also takes 1_000, and the digits of other scripts: a typing error, or a text that was mistaken for
a number, would become money.
"""

import re
from decimal import Decimal, InvalidOperation

PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def is_plain(text: str) -> bool:
    """Say whether a text is a number as everybody writes it."""
    return PLAIN.fullmatch(text) is not None


def read_decimal(value: object) -> Decimal:
    """Read the exact, finite number that a value or its text stands for; raises InvalidOperation."""
    text = str(value).strip()
    if not is_plain(text):
        raise InvalidOperation
    return Decimal(text)
