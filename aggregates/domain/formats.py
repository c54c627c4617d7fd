"""Numbers for people, as they are used to writing them."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from aggregates.domain import locales, money
from aggregates.domain.measures import Sums, rate
from aggregates.domain.wallclock import NARROW_SPACE

NO_PRICE = "no price"
LEAST_SHARE = Decimal("0.1")  # percent, the smallest that is told apart
SHORT = Decimal("0.1")  # seconds: a shorter time would lose too much as one
LEAST = Decimal("0.01")  # of a scale, the smallest that is told apart in a column
SCALES = ((10**12, "T"), (10**9, "B"), (10**6, "M"))


def count(number: int) -> str:
    """Every digit: 1,234,567."""
    return locales.current().number(f"{number:,}")


def decimal(number: Decimal, places: int) -> str:
    return locales.current().number(f"{number:,.{places}f}")


def quantity(number: Decimal) -> str:
    """Every digit that there is: 1,234.5."""
    exponent = number.normalize().as_tuple().exponent
    return decimal(number, max(0, -exponent if isinstance(exponent, int) else 0))


def compact_quantity(number: Decimal) -> str:
    """The same below a million, three digits from there on."""
    return quantity(number) if number < SCALES[-1][0] else compact(int(number))


def compact(number: int) -> str:
    """Every digit below a million, three of them from there on: 3.40 M."""
    digits = money.significant(number)  # 999,999,999 is shown as 1.00 B
    for scale, letter in SCALES:
        if digits >= scale and number >= SCALES[-1][0]:
            places = max(0, 2 - (digits / scale).adjusted())
            return decimal(Decimal(number) / scale, places) + NARROW_SPACE + letter
    return count(number)


def counts_alike(numbers: Iterable[int]) -> Callable[[int], str]:
    """Make what writes the numbers of a column: every digit, or all in the scale of the largest, and “<0.01 M” for what
    would be nothing in it."""
    largest = max(numbers, default=0)
    found = [each for each in SCALES if money.significant(largest) >= each[0] and largest >= SCALES[-1][0]]
    if not found:
        return count
    scale, letter = found[0]

    def write(number: int) -> str:
        if not number:
            return count(number)
        scaled = Decimal(number) / scale
        shown = f"<{decimal(LEAST, 2)}" if scaled < LEAST else decimal(scaled, 2)
        return shown + NARROW_SPACE + letter

    return write


def times_alike(times: Iterable[Decimal]) -> Callable[[Decimal], str]:
    """Make what writes the times of a column: all in seconds, or in milliseconds if one of them is short."""
    if min(times, default=Decimal(0)) < SHORT:
        return lambda time: decimal(time * 1000, 0) + NARROW_SPACE + "ms"
    return lambda time: decimal(time, 2) + NARROW_SPACE + "s"


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """A share: 12.3%, and “<0.1%” rather than a zero that is none; “>-0.1%” on the other side of it."""
    if not whole:
        return "–"
    share = Decimal(part) / Decimal(whole) * 100
    if share and abs(share) <= LEAST_SHARE / 2:
        return f"<{of_hundred(LEAST_SHARE)}" if share > 0 else f">{of_hundred(-LEAST_SHARE)}"
    return of_hundred(share or Decimal(0))  # of a negative whole, none would be -0


def share_of_tokens(part: int, whole: int) -> str:
    return of_hundred(rate(part, whole) * 100) if whole else "–"


def exact_percent(percent: Decimal) -> str:
    """Write percent with all their decimals, and no more: “12.5%”."""
    return locales.current().percent(f"{percent.normalize():f}")


def of_hundred(share: Decimal, places: int = 1) -> str:
    """A share in percent: 12.3%."""
    return locales.current().percent(f"{share:,.{places}f}")


def seconds(time: Decimal) -> str:
    """A time with three digits: 850 ms, 1.24 s, 12.4 s."""
    digits = money.significant(time)
    shown, letters = (time, "s") if digits >= 1 else (time * 1000, "ms")
    places = max(0, 2 - money.significant(shown).adjusted()) if shown % 1 else 0
    return decimal(shown, places) + NARROW_SPACE + letters


def has_no_price(sums: Sums) -> bool:
    return bool(sums.calls) and sums.unpriced_calls == sums.calls and not sums.charges


def cost(sums: Sums) -> str:
    """In US dollars; in words where no call has a price: that is not $0."""
    return NO_PRICE if has_no_price(sums) else money.display(sums.cost)


def exact_cost(sums: Sums) -> str:
    """The same with every digit."""
    return NO_PRICE if has_no_price(sums) else money.display_exact(sums.cost)


def plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def excerpt(text: str, longest: int = 60) -> str:
    """The beginning of somebody's text, safe to show and to log."""
    start = text[:longest]
    return (start if start.isprintable() else ascii(start)[1:-1]) + ("…" if len(text) > longest else "")
