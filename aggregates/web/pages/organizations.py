"""The organizations of a reader to choose from, each with what this month has cost, day by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from aggregates.accounts.access import find_organizations, seen_wholly
from aggregates.db.limits import TimedOut
from aggregates.db.standby import prefer_standby
from aggregates.domain import days, money, ranges
from aggregates.domain.measures import Sums
from aggregates.domain.ranges import Range
from aggregates.domain.wallclock import day_words
from aggregates.models import Organization, User
from aggregates.query.platform import OwnDays, Place, PlatformQuery, read_by_day
from aggregates.query.usage_query import QueryError

PAGE = 50
SECONDS = 5  # for the costs: without them the names are there
WIDTH, HEIGHT = 100, 24  # of a line's drawing
Costs = Mapping[date, Sums]


@dataclass(frozen=True, slots=True)
class Line:
    """An organization with what this month has cost up to now: `over` are the points of days that are over, `open`
    leads from the last of these to today, of which there is more to come. Without costs where they are not known."""

    organization: Organization
    sums: Sums | None = None
    over: str = ""
    open: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Organizations:
    """A page of them: those whose names contain what is `sought`."""

    lines: tuple[Line, ...]
    count: int
    number: int
    sought: str = ""

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE))

    @property
    def has_search(self) -> bool:
        return bool(self.sought) or self.pages > 1


@prefer_standby
def load(user: User, now: datetime, sought: str = "", number: int = 1) -> Organizations:
    """Read a page of them with their costs, by as few statements however many there are."""
    matching = find_organizations(user, [sought])
    found, count = list(matching[(number - 1) * PAGE : number * PAGE]), matching.count()
    months = {each.pk: ranges.preset("month", now, each.time_zone) for each in found}
    own = {
        Place(each.time_zone, each.calendar): OwnDays(
            months[each.pk].first, months[each.pk].last, place=Place(each.time_zone, each.calendar)
        )
        for each in found
    }
    seen = seen_wholly(user)
    whole = [pk for pk in months if pk in seen]  # of the others only a part is the user's to see
    costs: Mapping[int, Costs] | None = {}
    try:
        costs = read_by_day(PlatformQuery(tuple(own.values()), tuple(whole)), seconds=SECONDS) if whole else {}
    except (QueryError, TimedOut):
        costs = None
    lines = [
        Line(each) if costs is None or each.pk not in whole else _line(each, months[each.pk], costs.get(each.pk, {}))
        for each in found
    ]
    return Organizations(tuple(lines), count, number, sought)


def _line(organization: Organization, month: Range, by_day: Costs) -> Line:
    sums = Sums.of(by_day.values())
    amounts = {day: by_day[day].cost if day in by_day else Decimal(0) for day in days.dates(month.first, month.last)}
    points = _points(list(amounts.values()))
    if not sums.rows:
        return Line(organization, sums)
    highest = max(amounts, key=lambda day: (amounts[day], day))
    description = f"Cost by day, at most {money.display(amounts[highest])} on {day_words(highest)}"
    return Line(organization, sums, " ".join(points[:-1]), " ".join(points[-2:]), description)


def _points(amounts: list[Decimal]) -> list[str]:
    """Place one amount a day in the drawing, from the left to the right; a single one is a flat line, and nothing at
    all is one at the bottom."""
    if len(amounts) == 1:
        amounts = amounts * 2
    low, high = min(*amounts, Decimal(0)), max(*amounts, Decimal(0))
    high += high == low
    scale = high - low
    return [
        f"{WIDTH * nth / (len(amounts) - 1):.1f},{1 + (HEIGHT - 2) * (high - amount) / scale:.1f}"
        for nth, amount in enumerate(amounts)
    ]
