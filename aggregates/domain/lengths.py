"""Amounts of two ranges, compared as they are, or by the day where the ranges are of unequal length."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

from aggregates.domain.money import EXACT, stored


@dataclass(frozen=True, slots=True)
class Lengths:
    """By how many days the amounts of an earlier range and of a later one are divided: by 1 where they are compared as
    they are, and then nothing is rounded; else to 12 decimals, once for each amount."""

    before: Fraction = Fraction(1)
    now: Fraction = Fraction(1)

    @property
    def is_per_day(self) -> bool:
        return not self.before == self.now == 1

    @property
    def factor(self) -> Fraction:
        """How many times as long the later range is."""
        return self.now / self.before

    @property
    def weights(self) -> tuple[int, int]:
        """Whole numbers, for the earlier range and for the later one: times these, amounts differ as they do by day."""
        whole = lcm(self.before.numerator, self.now.numerator)
        return int(whole / self.before), int(whole / self.now)

    def of_before(self, amount: Decimal) -> Decimal:
        return _divided(amount, self.before)

    def of_now(self, amount: Decimal) -> Decimal:
        return _divided(amount, self.now)

    def as_long(self, amount: Decimal) -> Decimal:
        """Give what an amount of the earlier range comes to in as many days as the later one has."""
        return _divided(amount, 1 / self.factor)

    def difference(self, before: Decimal, now: Decimal) -> Decimal:
        if not self.is_per_day:
            return EXACT.subtract(now, before)
        return decimal_of(Fraction(now) / self.now - Fraction(before) / self.before)


WHOLE = Lengths()


def decimal_of(amount: Fraction) -> Decimal:
    """Round a fraction to the 12 decimals of a cost."""
    return stored(EXACT.divide(Decimal(amount.numerator), Decimal(amount.denominator)))


def _divided(amount: Decimal, days: Fraction) -> Decimal:
    return amount if days == 1 else decimal_of(Fraction(amount) / days)
