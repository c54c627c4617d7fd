"""Money: US dollars as Decimal, stored with 12 decimals; the one place where it is rounded."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from aggregates.domain import locales

STORED = Decimal("1e-12")
# Room for the sum over a log of any size; the default 28 digits are not enough for large totals.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def stored(amount: Decimal) -> Decimal:
    """The amount as the log keeps it: 12 decimals, half-even."""
    return amount.quantize(STORED, context=EXACT)


def display(amount: Decimal) -> str:
    """For people: cents from one dollar up, and below it enough decimals to show three significant digits."""
    size = amount.copy_abs()  # abs() would round to 28 digits
    places = 2 if size >= 1 or size == 0 else min(12, 2 - size.adjusted())
    rounded = size.quantize(Decimal(1).scaleb(-places), context=EXACT)
    return locales.current().amount(f"{'-' if amount < 0 else ''}{rounded:,f}")


def display_exact(amount: Decimal) -> str:
    """For people, with every digit."""
    return locales.current().amount(f"{amount:,f}")
