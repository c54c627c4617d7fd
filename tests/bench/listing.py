"""Pages of the list of calls over a year, as the site reads them, beside plain SQL over the log."""

from collections.abc import Iterator

from aggregates.models import UsageLog
from aggregates.query.listing import Cursor, PageBoundary
from aggregates.query.selection import CallSelection
from aggregates.web.pages import calls
from tests.bench.databases import use
from tests.bench.filling import Filled
from tests.bench.measuring import execute
from tests.bench.pages import SUMS, beside, last_days
from tests.bench.table import Line


def lines(filled: Filled) -> Iterator[Line]:
    """Measure pages, each with the totals of all calls of the list, which the page tells, too."""
    use(filled.name)
    whole = CallSelection(filled.biggest, last_days(filled, 365).range)
    seldom = CallSelection(filled.biggest, whole.range, filters=(("user", _seldom(filled)),))
    half = filled.its_calls // 2
    yield _line("the newest of all calls", whole)
    yield _line("those from the middle on", whole, half)
    yield _line("the newest of the user with the fewest calls", seldom)


def _line(what: str, selection: CallSelection, offset: int = 0) -> Line:
    span = selection.span
    where = (
        f"FROM aggregates_usagelog WHERE organization_id = {selection.organization.pk} "
        f"AND timestamp >= '{span.start}' AND timestamp < '{span.end}'"
    )
    for _, user in selection.filters:
        where += f" AND user_id = '{user}'"
    page = f"SELECT * {where} ORDER BY timestamp DESC, id DESC LIMIT {calls.PAGE} OFFSET {offset}"
    boundary = _just_before(where, offset)
    listed = [line.call.pk for day in calls.load(selection, boundary).days for line in day.lines]
    assert listed == [row[0] for row in execute(page.replace("*", "id", 1))], what
    return beside(what, lambda: calls.load(selection, boundary), [f"SELECT {SUMS} {where}", page], None)


def _just_before(where: str, offset: int) -> PageBoundary | None:
    """Find the place of a reader who has seen so many."""
    if not offset:
        return None
    ((number,),) = execute(f"SELECT id {where} ORDER BY timestamp DESC, id DESC LIMIT 1 OFFSET {offset - 1}")
    return PageBoundary(Cursor.of(UsageLog.objects.get(pk=number)))


def _seldom(filled: Filled) -> str:
    where = f"WHERE organization_id = {filled.biggest.pk} GROUP BY 1 ORDER BY count(*) LIMIT 1"
    ((user,),) = execute(f"SELECT user_id FROM aggregates_usagelog {where}")
    return str(user)
