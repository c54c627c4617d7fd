"""Money: US dollars as Decimal, stored with 12 decimals; the one place where it is rounded."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from aggregates.domain import locales

STORED = Decimal("1e-12")
# Room for the sum over a log of any size; the default 28 digits are not enough for large totals.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)

SIGNIFICANT = Context(prec=3, rounding=ROUND_HALF_EVEN)


def stored(amount: Decimal) -> Decimal:
    """The amount as the log keeps it: 12 decimals, half-even."""
    return amount.quantize(STORED, context=EXACT)


def significant(amount: Decimal | int) -> Decimal:
    """The amount rounded half-even to three significant digits: what says with which scale or decimals to show it."""
    return SIGNIFICANT.create_decimal(amount)


def display(amount: Decimal) -> str:
    """For people: cents from one dollar up, and below it enough decimals to show three significant digits."""
    size = amount.copy_abs()  # abs() would round to 28 digits
    digits = significant(size)  # 0.9996 is shown as a dollar, with cents
    places = 2 if digits >= 1 or digits == 0 else min(12, 2 - digits.adjusted())
    rounded = size.quantize(Decimal(1).scaleb(-places), context=EXACT)
    return locales.current().amount(f"{'-' if amount < 0 else ''}{rounded:,f}")


def display_exact(amount: Decimal) -> str:
    """For people, with every digit."""
    return locales.current().amount(f"{amount:,f}")
