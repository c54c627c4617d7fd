"""Numbers that people type, in the notation that their browser asks for, or as everybody writes them."""

import re
from decimal import Decimal
from functools import lru_cache

from aggregates.domain import locales
from aggregates.domain.locales import MINUS, Locale
from aggregates.domain.numbers import is_plain

SPACES, APOSTROPHES = " \u00a0\u2009\u202f", "'\u2019"  # of these one is typed as another
MOST_DIGITS = 40  # before or after the point: a text as 1e99 has more than it shows


class Ambiguous(ValueError):
    """A number may be two; the message says so to people."""


def read(text: str) -> Decimal:
    """Read what a person typed; raises ValueError with words for them, and Ambiguous."""
    typed = text.strip().replace(MINUS, "-")
    own = _own(typed, locales.current())
    plain = Decimal(typed) if is_plain(typed) else None
    readings = [number for number in (own, plain) if number is not None]
    if not readings or any(abs(number.adjusted()) > MOST_DIGITS for number in readings):
        raise ValueError(f"Expected a number, such as 12 or {write(Decimal('0.5'))}.")
    if readings[0] != readings[-1]:
        raise Ambiguous(f"“{typed}” may be {write(readings[0])} or {write(readings[-1])}: write it as one of these.")
    return readings[-1]


def write(number: Decimal) -> str:
    """Write every digit in the reader's notation, without marks between groups: read back it is the same number."""
    digits = f"{number:f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.replace(".", locales.current().decimal)


def _own(text: str, locale: Locale) -> Decimal | None:
    """Read it in the reader's own notation; None where it is no number in that."""
    found = _pattern(locale).fullmatch(text)
    if not found or not re.search("[0-9]", text):
        return None
    sign, whole, decimals = found.groups()
    return Decimal(f"{sign}{re.sub('[^0-9]', '', whole) or 0}.{decimals or 0}")


@lru_cache(maxsize=1000)
def _pattern(locale: Locale) -> re.Pattern[str]:
    marks = next((kind for kind in (SPACES, APOSTROPHES) if locale.group in kind), locale.group)
    mark = f"[{re.escape(marks)}]"
    in_thousands = f"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+"
    in_lakhs = f"[1-9][0-9]?(?:{mark}[0-9]{{2}})*{mark}[0-9]{{3}}"
    whole = f"{in_thousands}|{in_lakhs}|[0-9]*" if locale.lakhs else f"{in_thousands}|[0-9]*"
    return re.compile(f"([+-]?)({whole})(?:{re.escape(locale.decimal)}([0-9]*))?")
