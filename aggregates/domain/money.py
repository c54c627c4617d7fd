"""Money: US dollars as Decimal, stored with 12 decimals; the one place where it is rounded."""

from collections.abc import Callable, Iterable
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
    return _rounded(amount, _places(amount))


def alike(amounts: Iterable[Decimal], finest: int = 0) -> Callable[[Decimal], str]:
    """Make what writes the amounts of a column: all with the decimals of the largest, or those that the smallest needs,
    but not more than `finest` for that; and “<$0.01” for what would be none of them."""
    sizes = [amount.copy_abs() for amount in amounts if amount]
    places = max(_places(max(sizes, default=Decimal(0))), min(_places(min(sizes, default=Decimal(0))), finest))
    least = Decimal(1).scaleb(-places)

    def write(amount: Decimal) -> str:
        if not amount or amount.copy_abs() >= least:
            return _rounded(amount, places)
        return f"<{_rounded(least, places)}" if amount > 0 else f">{_rounded(-least, places)}"

    return write


def _places(amount: Decimal) -> int:
    digits = significant(amount.copy_abs())  # 0.9996 is shown as a dollar, with cents
    return 2 if digits >= 1 or digits == 0 else min(12, 2 - digits.adjusted())


def _rounded(amount: Decimal, places: int) -> str:
    rounded = amount.copy_abs().quantize(Decimal(1).scaleb(-places), context=EXACT)  # abs() would round to 28 digits
    return locales.current().amount(f"{'-' if amount < 0 else ''}{rounded:,f}")


def display_exact(amount: Decimal) -> str:
    """For people, with every digit."""
    return locales.current().amount(f"{amount:,f}")
