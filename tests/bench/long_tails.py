"""The page of all groups, and what a filter suggests, where nearly every call has a subject of its own."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.days import Span
from aggregates.domain.dimensions import LONG_TAIL
from aggregates.domain.ranges import of_days
from aggregates.models import Organization
from aggregates.ops import load
from aggregates.ops.load.amounts import Load
from aggregates.query.selection import GroupSelection, Selection
from aggregates.rollup import protocol
from aggregates.web.pages import choices, groups
from tests.bench.databases import make, use
from tests.bench.filling import Filled
from tests.bench.measuring import execute, median
from tests.bench.pages import beside, last_days
from tests.bench.table import Goal, Line, time

DAYS = 30  # of the page, and as many before
CALLS_A_GROUP, SUBJECTS_A_GROUP = 8, 6  # many subjects have no call in these days
PAGE_WITHIN, SUGGESTED_WITHIN = 1.0, 0.05  # seconds
TYPED = "1"
TIMES = 5


def lines(large: Filled, groups_wanted: int) -> Iterator[Line]:
    """Measure the page where there are about so many groups, and suggestions at the largest size."""
    selection = _filled(groups_wanted)
    page = groups.load(selection).page
    (row,) = execute(f"SELECT count(DISTINCT subject_id) {_where(selection, selection.compared)}")
    assert page and page.count == row[0], row
    spent = median(lambda: groups.load(selection), TIMES)
    goal = Goal(f"< {PAGE_WITHIN:.2f} s", spent < PAGE_WITHIN)
    yield Line(f"a page of {page.count:,} groups, {DAYS} days, each beside the {DAYS} before", time(spent), goal=goal)
    sought = replace(selection, sought=TYPED)
    yield Line("- of those whose names contain a text", time(median(lambda: groups.load(sought), TIMES)))
    use(large.name)
    chosen = last_days(large, DAYS)
    statement = f"SELECT subject_id, sum(cost) {_where(chosen)} GROUP BY 1 ORDER BY 2 DESC LIMIT {choices.MOST}"
    line = beside("what a filter suggests, before anything is typed", lambda: _suggest(chosen, ""), [statement], None)
    spent = median(lambda: _suggest(chosen, ""), TIMES)
    yield replace(line, goal=Goal(f"< {SUGGESTED_WITHIN * 1000:.1f} ms", spent < SUGGESTED_WITHIN))
    spent = median(lambda: _suggest(chosen, TYPED), TIMES)
    yield Line("what it suggests for a text", time(spent))


def _suggest(selection: Selection, typed: str) -> choices.Choice:
    return choices.read(selection, LONG_TAIL, typed, (), is_beginning=False)


def _where(selection: Selection, since: Selection | None = None) -> str:
    """Select the log of the range, or from the beginning of another one on."""
    span = Span((since or selection).range.span.start, selection.range.span.end)
    return (
        f"FROM aggregates_usagelog WHERE organization_id = {selection.organization.pk} "
        f"AND timestamp >= '{span.start}' AND timestamp < '{span.end}'"
    )


def _filled(number: int) -> GroupSelection:
    """Fill a database with both ranges, in which about so many groups have calls."""
    make("bench_tail")
    now = clock.now()
    last = days.date_of(now, "UTC") - days.DAY
    first = last - timedelta(days=2 * DAYS - 1)
    calls, subjects = 2 * CALLS_A_GROUP * number, SUBJECTS_A_GROUP * number
    load.generate(Load(calls, first, last, now, organizations=1, subjects=subjects))
    protocol.roll_up()
    execute("ANALYZE")
    organization = Organization.objects.get(slug=load.slug_of(0))
    return GroupSelection(organization, of_days("custom", last - timedelta(days=DAYS - 1), last, "UTC"), LONG_TAIL)
