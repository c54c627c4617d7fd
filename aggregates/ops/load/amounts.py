"""How many calls a load has, for which organization and on which day: exactly as many as were asked for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate, pairwise

from aggregates.domain import days
from aggregates.domain.calls import EARLIEST
from aggregates.ops.demo.cast import STORIES
from aggregates.ops.demo.story import Story, number_of_calls, zipf

Amounts = list[tuple[date, int]]


class LoadError(ValueError):
    """A load that cannot be made, and why."""


@dataclass(frozen=True)
class Load:
    """So many calls of so many organizations on the days from first to last, both included, up to now.

    `today` fixes the calls of the biggest organization on the last day, which is today. Its times depend on `now`, and
    ids are unique in a month of UTC, so a today of two such months is refused: the same load again would add calls.
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
    zone: str = "UTC"  # whose midnights cut the days

    def __post_init__(self) -> None:
        today = days.date_of(self.now, self.zone)
        if self.first < EARLIEST.date():
            raise LoadError(f"The first day would be {self.first}, and the log begins on {EARLIEST.date()}.")
        if self.last > today:
            raise LoadError(f"The last day, {self.last}, is yet to come: today is {today} in {self.zone}.")
        if self.today is not None and self.last != today:
            raise LoadError(f"No call can be of today, {today} in {self.zone}, where the last day is {self.last}.")
        span = days.span_of(today, self.zone)
        if self.last == today and span.start.month != (span.end - days.INSTANT).month:
            raise LoadError(f"Today, {today} in {self.zone}, lies in two months of UTC: end with the day before.")


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
