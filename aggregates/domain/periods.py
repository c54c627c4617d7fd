"""Weeks and months: what the days of a breakdown are summed to once they are over."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from aggregates.domain import days
from aggregates.domain.dimensions import GRAINS, LATENCY_GRAINS, LONG_TAIL, Grain


@dataclass(frozen=True, slots=True)
class Unit:
    """`name` as PostgreSQL has it, `first_of` gives the first day of the period that a day is in, `dates_of` all days
    of the one that begins with this, and `grains` are those that are summed."""

    name: str
    first_of: Callable[[date], date]
    dates_of: Callable[[date], tuple[date, ...]]
    grains: tuple[Grain, ...]


# Longest first. Of a long tail most come up in one week only, and with anything else beside in one month only: to sum
# these would save no group. Histograms of a week are as long as those of its days, but for a few.
UNITS = (
    Unit(
        "month",
        days.month_of,
        days.dates_of_month,
        (
            *(grain for grain in GRAINS if LONG_TAIL not in grain.dimensions or len(grain.dimensions) == 1),
            *LATENCY_GRAINS,
        ),
    ),
    Unit(
        "week",
        days.week_of,
        days.dates_of_week,
        tuple(grain for grain in GRAINS if LONG_TAIL not in grain.dimensions),
    ),
)
BY_NAME = {unit.name: unit for unit in UNITS}


class Period(NamedTuple):
    """A week or month, by the name of its unit and its first day."""

    unit: str
    first: date

    @property
    def dates(self) -> tuple[date, ...]:
        return BY_NAME[self.unit].dates_of(self.first)

    @property
    def number(self) -> int:
        """Another one for each."""
        return self.first.toordinal() * len(UNITS) + list(BY_NAME).index(self.unit)


def periods_of(day: date) -> list[Period]:
    """Those that the day is in."""
    return [Period(unit.name, unit.first_of(day)) for unit in UNITS]
