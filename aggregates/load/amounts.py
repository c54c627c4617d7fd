"""How many calls a load has, for which organization and on which day: exactly as many as were asked for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate, pairwise

from aggregates import days
from aggregates.calls import EARLIEST
from aggregates.demo.cast import STORIES
from aggregates.demo.story import Story, number_of_calls, zipf

Amounts = list[tuple[date, int]]


class LoadError(ValueError):
    """A load that cannot be made, and why."""


@dataclass(frozen=True)
class Load:
    """So many calls of so many organizations on the days from first to last, both included, up to now.

    Its days are those of UTC. `today` fixes the calls of the biggest organization on the last day, which is today.
    """

    calls: int
    first: date
    last: date
    now: datetime
    organizations: int = 10
    users: int = 200  # of each organization
    subjects: int = 20_000  # of each organization
    seed: int = 1
    today: int | None = None

    def __post_init__(self) -> None:
        if self.first < EARLIEST.date():
            raise LoadError(f"The first day would be {self.first}, and the log begins on {EARLIEST.date()}.")
        if self.last > self.now.date():
            raise LoadError(f"The last day, {self.last}, is yet to come: today is {self.now.date()} in UTC.")
        if self.today is not None and self.last != self.now.date():
            raise LoadError(f"There are no calls today ({self.now.date()} in UTC) where the last day is {self.last}.")


def amounts_of(load: Load) -> list[Amounts]:
    """For each organization, the biggest first, its days with their numbers of calls."""
    dates = list(days.dates(load.first, load.last))
    totals = shares(load.calls, zipf(load.organizations))
    amounts = []
    for rank, total in enumerate(totals):
        weights = day_weights(story_of(rank), dates, random.Random(f"{load.seed} {rank}"))
        today = load.today if rank == 0 else None
        amounts.append(list(zip(dates, day_shares(total, weights, today), strict=True)))
    return amounts


def story_of(rank: int) -> Story:
    """Whose rhythm, models and sizes of calls an organization has."""
    return STORIES[rank % len(STORIES)]


def day_weights(story: Story, dates: Sequence[date], chance: random.Random) -> list[int]:
    return [number_of_calls(story, day, number / len(dates), chance) for number, day in enumerate(dates)]


def day_shares(total: int, weights: Sequence[int], today: int | None) -> list[int]:
    """The total by days; `today`, if given, is what the last one gets."""
    if today is None:
        return shares(total, list(accumulate(weights)))
    if today > total:
        raise LoadError(f"{today:,} calls today are more than the {total:,} that the biggest organization has in all.")
    before = weights[:-1]
    if not before and today < total:
        raise LoadError(f"Today is the only day, and the biggest organization has {total:,} calls in all.")
    return [*(shares(total - today, list(accumulate(before))) if before else ()), today]


def shares(total: int, cumulative: Sequence[float]) -> list[int]:
    """Whole shares by cumulative weights; they add up to the total."""
    ends = (int(total * (weight / cumulative[-1])) for weight in cumulative)
    return [end - start for start, end in pairwise((0, *ends))]
