"""Numbers for people."""

from decimal import Decimal

from aggregates import money
from aggregates.measures import Sums, rate

NARROW_SPACE = "\u202f"  # does not break
NO_PRICE = "no price"
SCALES = ((10**12, "T"), (10**9, "B"), (10**6, "M"))


def count(number: int) -> str:
    """Every digit: 1,234,567."""
    return f"{number:,}"


def compact(number: int) -> str:
    """Every digit below a million, three of them from there on: 3.40 M."""
    for scale, letter in SCALES:
        if number >= scale:
            scaled = Decimal(number) / scale
            places = max(0, 2 - scaled.adjusted())
            return f"{scaled:,.{places}f}{NARROW_SPACE}{letter}"
    return count(number)


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """A share: 12.3%, and “<0.1%” rather than a zero that is none."""
    if not whole:
        return "–"
    share = Decimal(part) / Decimal(whole) * 100
    return "<0.1%" if 0 < share < Decimal("0.05") else f"{share:.1f}%"


def share_of_tokens(part: int, whole: int) -> str:
    return f"{rate(part, whole) * 100:.1f}%" if whole else "–"


def cost(sums: Sums) -> str:
    """In US dollars; in words where no call has a price: that is not $0."""
    return NO_PRICE if sums.calls and sums.unpriced_calls == sums.calls else money.shown(sums.cost)


def exact_cost(sums: Sums) -> str:
    """The same with every digit."""
    return NO_PRICE if sums.calls and sums.unpriced_calls == sums.calls else f"${sums.cost:,f}"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(key: str | None) -> str:
    """A group of a breakdown: its value, or what stands for an unknown one or for all others."""
    if key is None:
        return "Other"
    return key or "(not set)"


def excerpt(text: str, longest: int = 60) -> str:
    """The beginning of somebody's text, safe to show and to log."""
    start = text[:longest]
    return (start if start.isprintable() else ascii(start)[1:-1]) + ("…" if len(text) > longest else "")
