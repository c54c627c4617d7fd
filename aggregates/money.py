"""Money: US dollars as Decimal, stored with 12 decimals; the one place where it is rounded."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

STORED = Decimal("1e-12")
# Room for the sum over a log of any size; the default 28 digits are not enough for large totals.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def stored(amount: Decimal) -> Decimal:
    """The amount as the log keeps it: 12 decimals, half-even."""
    return amount.quantize(STORED, context=EXACT)


def shown(amount: Decimal) -> str:
    """For people: cents from one dollar up, and below it enough decimals to show three significant digits."""
    sign, size = ("-" if amount < 0 else ""), amount.copy_abs()  # abs() would round to 28 digits
    if size >= 1 or size == 0:
        return f"{sign}${size.quantize(Decimal('0.01'), context=EXACT):,}"
    places = min(12, 2 - size.adjusted())
    return f"{sign}${size.quantize(Decimal(1).scaleb(-places), context=EXACT):f}"
