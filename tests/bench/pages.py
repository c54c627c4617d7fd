"""What a page needs, read as the pages read it, beside plain SQL over the log."""

import statistics
from datetime import timedelta

from aggregates import days, rollup
from aggregates.measures import MEASURES
from aggregates.pages import dashboard
from aggregates.queries import UsageQuery
from aggregates.ranges import of_days
from aggregates.selection import Selection
from aggregates.sources import read
from tests.bench.databases import use
from tests.bench.filling import Filled
from tests.bench.measuring import DatabaseTime, database_time, execute, median
from tests.bench.table import Goal, Line, at_most, faster, time

BREAKDOWNS = ("model", "operation", "user")
TOP = 10
TIMES = 7
SUMS = ", ".join(f"sum({measure.of_call})" for measure in MEASURES)
IN_UNDER = 5  # ms of the database for the total of a year


def last_days(filled: Filled, number: int) -> Selection:
    """So many days up to today, today included."""
    zone = filled.biggest.time_zone
    today = days.date_of(rollup.now(), zone)
    return Selection(filled.biggest, of_days("custom", today - timedelta(days=number - 1), today, zone))


def queries(selection: Selection) -> list[UsageQuery]:
    """Totals, their series by day, and three breakdowns."""
    return [
        selection.in_all(),
        selection.over_time(),
        *(selection.in_all(by=name, top=TOP) for name in BREAKDOWNS),
    ]


def plain_statements(selection: Selection) -> list[str]:
    """The same from the log, as one would write it."""
    span = selection.range.span
    where = (
        f"FROM aggregates_usagelog WHERE organization_id = {selection.organization.pk} "
        f"AND timestamp >= '{span.start}' AND timestamp < '{span.end}'"
    )
    day = f"date_trunc('day', timestamp, '{selection.organization.time_zone}')"
    columns = {"model": "model", "operation": "operation", "user": "user_id"}
    return [
        f"SELECT {day}, {SUMS} {where} GROUP BY 1",
        *(f"SELECT {columns[name]}, {SUMS} {where} GROUP BY 1 ORDER BY 5 DESC" for name in BREAKDOWNS),
        f"SELECT {SUMS} {where}",
    ]


def page_seconds(filled: Filled, number: int, times: int = TIMES) -> float:
    asked = queries(last_days(filled, number))
    return median(lambda: read(asked), times)


def plain_seconds(filled: Filled, number: int, times: int) -> float:
    statements = plain_statements(last_days(filled, number))
    return median(lambda: execute(*statements), times)


def check(filled: Filled, number: int) -> None:
    """What is fast should be right, too."""
    selection = last_days(filled, number)
    query = selection.in_all()
    totals = read([query])[query].totals
    (row,) = execute(plain_statements(selection)[-1])
    assert row == tuple(getattr(totals, measure.name) for measure in MEASURES), (row, totals)


def lines(filled: Filled, goals: dict[int, float]) -> list[Line]:
    """Page data of 30 and 365 days; `goals` says how many times faster each should be than plain SQL."""
    use(filled.name)
    found = []
    for number in (30, 365):
        check(filled, number)
        ours, plain = page_seconds(filled, number), plain_seconds(filled, number, times=3)
        found.append(faster(f"page data, {number} days", ours, plain, goals.get(number)))
    whole = last_days(filled, 365)
    found.append(Line("the whole dashboard, 365 days, and 365 before", time(median(lambda: dashboard.load(whole), 3))))
    return found


def year_total(filled: Filled) -> DatabaseTime:
    use(filled.name)
    query = last_days(filled, 365).in_all()
    read([query])
    return database_time(lambda: read([query]))


def year_total_line(filled: Filled) -> Line:
    spent = year_total(filled)
    part = f"{spent.of_log:.2f} ms for {spent.log_rows:,.0f} calls"
    goal = Goal(f"< {IN_UNDER} ms", spent.total < IN_UNDER)
    return Line(f"total of 365 days, {filled.today:,} calls today", f"{spent.total:.2f} ms", part, "", goal)


def growth_line(small: Filled, large: Filled, most: float) -> Line:
    """Both in turns, so that what else the machine does meets both alike."""
    pairs = []
    for _ in range(3):
        seconds = []
        for filled in (small, large):
            use(filled.name)
            seconds.append(page_seconds(filled, 30))
        pairs.append(seconds)
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    return at_most(f"page data, 30 days, {large.calls:,} calls", after, before, most)
