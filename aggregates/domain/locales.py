"""How a reader writes numbers and dates, by the languages that their browser asks for; words stay English.

The conventions are those of the Unicode CLDR. They hold within `read_by`; elsewhere, as for commands, the API and
files, numbers are written as in 1,234.5 and days as in 5 Jul 2025.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import babel
from babel.core import get_global
from django.utils.translation.trans_real import parse_accept_lang_header

MARKS = str.maketrans("", "", "\u200e\u200f")  # of direction: around Latin digits in English text they do nothing
DAY_FIRST = "en_150"  # English in Europe: for regions whose English is not described


@dataclass(frozen=True, slots=True)
class Locale:
    """What stands where in a number, before and after an amount, and in a date.

    With `lakhs`, `group` stands after each two digits above the first thousand: 12,34,567. With `month_first`, days are
    written as in Jul 5, 2025. `minus` stands before all else: on pages it is a real one, as wide as a plus, as on the
    axes of charts.
    """

    decimal: str = "."
    group: str = ","
    lakhs: bool = False
    dollars: tuple[str, str] = ("$", "")
    percents: tuple[str, str] = ("", "%")
    month_first: bool = False
    twelve_hours: bool = False
    minus: str = "-"

    def number(self, text: str) -> str:
        """“-1,234,567.89” as it is written here."""
        return self._within(text, ("", ""))

    def amount(self, text: str) -> str:
        """“-1,234.50” as US dollars."""
        return self._within(text, self.dollars)

    def percent(self, text: str) -> str:
        return self._within(text, self.percents)

    def _within(self, text: str, around: tuple[str, str]) -> str:
        """The sign comes first, whatever else stands before the digits."""
        sign, digits = (self.minus, text[1:]) if text.startswith("-") else ("", text)
        whole, point, decimals = digits.partition(".")
        if self.lakhs:
            whole = _in_lakhs(whole)
        written = whole.replace(",", self.group) + (self.decimal + decimals if point else "")
        return f"{sign}{around[0]}{written}{around[1]}"


def _in_lakhs(whole: str) -> str:
    digits = whole.replace(",", "")
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)]
    return ",".join([*reversed(pairs), tail])


PLAIN = Locale()
MINUS = "\u2212"
_current: ContextVar[Locale] = ContextVar("locale", default=PLAIN)


def current() -> Locale:
    return _current.get()


@contextmanager
def read_by(accept_language: str) -> Iterator[None]:
    """Write for a reader whose browser sends this header."""
    before = _current.set(_locale(accept_language))
    try:
        yield
    finally:
        _current.reset(before)


@lru_cache(maxsize=1000)
def _locale(accept_language: str) -> Locale:
    """That of the first language that is known."""
    for tag, _ in parse_accept_lang_header(accept_language):
        if found := _known(tag):
            return _described(found, _region(tag, found))
    return Locale(minus=MINUS)


def _known(tag: str) -> babel.Locale | None:
    """The locale of a language tag, without as many of its last parts as it takes to find one."""
    parts = tag.split("-")
    for end in range(len(parts), 0, -1):
        try:
            return babel.Locale.parse("-".join(parts[:end]), sep="-")
        except (ValueError, babel.UnknownLocaleError):
            continue
    return None


def _region(tag: str, found: babel.Locale) -> str:
    """The region that the tag names, or else the one where most speakers of the language live."""
    named = next((part.upper() for part in tag.split("-")[1:] if len(part) == 2), None)
    likely = get_global("likely_subtags").get(str(found), "")
    return named or found.territory or str(likely).rpartition("_")[2]


def _described(found: babel.Locale, region: str) -> Locale:
    symbols = found.number_symbols["latn"]
    english = _known(f"en-{region}") if region else None
    if english is None or english.territory != region:
        english = babel.Locale.parse(DAY_FIRST)
    pattern = english.date_formats["medium"].pattern
    return Locale(
        symbols["decimal"],
        symbols["group"],
        "#,##,##0" in found.decimal_formats[None].pattern,
        _around(found.currency_formats["standard"].pattern.replace("¤", "$")),
        _around(found.percent_formats[None].pattern),
        pattern.index("M") < pattern.index("d"),
        "h" in found.time_formats["short"].pattern,
        MINUS,
    )


def _around(pattern: str) -> tuple[str, str]:
    """What stands before and after the digits of a pattern such as “#,##0.00 $;-#,##0.00 $”."""
    positive = pattern.partition(";")[0].translate(MARKS)
    before, after = positive.partition("#")[0], positive.rpartition("0")[2]
    return before, after
