"""An amount of two ranges in a row of a table: what it was, what it is, and the difference, as they are compared."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from aggregates.domain import formats, money
from aggregates.domain.lengths import WHOLE, Lengths
from aggregates.domain.money import EXACT
from aggregates.web.pages.sentences import signed


@dataclass(frozen=True, slots=True)
class Compared:
    """`whole` is the difference that its own has a share of. By the day, texts are of a day, and `before`, `now` and
    `difference` are still those of all days."""

    before: Decimal
    now: Decimal
    whole: Decimal
    lengths: Lengths = WHOLE
    write: Callable[[Decimal], str] = field(default=money.display, compare=False)  # with the decimals of its table

    @property
    def amounts(self) -> tuple[Decimal, Decimal, Decimal]:
        """What it was, what it is, and the difference, each as it is compared."""
        return self.lengths.of_before(self.before), self.lengths.of_now(self.now), self.compared

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.now, self.before)

    @property
    def compared(self) -> Decimal:
        """The difference as it is compared: by the day, if the ranges are."""
        return self.lengths.difference(self.before, self.now)

    @property
    def in_all(self) -> str:
        """What to say behind an amount of all days where others are of a day."""
        return " in all" if self.lengths.is_per_day else ""

    @property
    def text(self) -> str:
        return signed(self.compared, self.write)

    @property
    def text_before(self) -> str:
        return self.write(self.amounts[0])

    @property
    def text_now(self) -> str:
        return self.write(self.amounts[1])

    @property
    def share(self) -> str:
        """Beyond 100% and below 0 where others go the other way."""
        return formats.percent(self.compared, self.whole)


Row = TypeVar("Row", bound=Compared)


def alike(rows: Iterable[Row]) -> list[Row]:
    """Have the rows of a table write their amounts with the same decimals."""
    rows = list(rows)
    write = money.alike(amount for row in rows for amount in row.amounts)
    return [replace(row, write=write) for row in rows]
