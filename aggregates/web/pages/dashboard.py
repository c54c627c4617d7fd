"""All that the dashboard shows, read in one snapshot."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db.models import Max
from django.utils import timezone

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.domain.measures import Sums
from aggregates.models import Organization, UsageDay
from aggregates.query.answer import Answer
from aggregates.query.provenance import provenance, reads_more_of_log
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket, NoHours, QueryError, UsageQuery
from aggregates.web.charts import CHARTS
from aggregates.web.charts.chart import Drawn
from aggregates.web.pages import tables, unpriced
from aggregates.web.pages.tables import TABLES, Table
from aggregates.web.pages.tiles import TILES, Tile, compared

PATIENCE = 15  # seconds that a statement may take: a reader waits for several, and the database has others to serve


@dataclass(frozen=True)
class Dashboard:
    selection: Selection
    totals: Sums
    tiles: tuple[Tile, ...]
    charts: tuple[Drawn, ...]
    tables: tuple[Table, ...]
    provenance: str
    reads_more_of_log: bool  # some breakdown is one that no aggregate holds
    unpriced: str  # how many calls have no price, and of which models
    refusal: str  # why all of it, or some breakdowns, cannot be answered
    as_of: datetime
    before: Answer | None = None  # what its tiles compare with, if that is known
    failed: bool = False  # there is nothing but a refusal


def load(selection: Selection) -> Dashboard:
    """Collect the queries of every part, read them at once, and hand each part its answers; by day where hours are not
    known."""
    try:
        return _load(selection)
    except NoHours:
        return _load(replace(selection, has_hours=False))


def _load(selection: Selection) -> Dashboard:
    main, before = selection.over_time(), selection.compared.in_all()
    charts = [query for chart in CHARTS for query in chart.queries(selection)]
    top = {name: tables.query_of(name, selection) for name in TABLES}
    refused: dict[UsageQuery, QueryError] = {}
    by_model = unpriced.query_of(selection)
    try:
        with snapshot(PATIENCE):
            answers = read([main, before, *charts, *top.values()], refused, seconds=PATIENCE)
            if main in refused:
                raise refused[main]
            totals = answers[main].totals
            if totals.unpriced_calls:
                answers |= read([by_model], refused, seconds=PATIENCE)
    except (QueryError, TimedOut) as error:
        if isinstance(error, NoHours) and selection.step == Bucket.HOUR:
            raise
        return Dashboard(selection, Sums(), (), (), (), "", False, "", str(error), timezone.now(), failed=True)
    return Dashboard(
        selection=selection,
        totals=totals,
        tiles=tuple(compared(tile, totals, answers.get(before)) for tile in TILES),
        charts=tuple(chart.draw(selection, answers) for chart in CHARTS if chart.queries(selection)[0] in answers),
        tables=tuple(tables.table_of(name, answers[query]) for name, query in top.items() if query in answers),
        provenance=provenance(answers[main].plan, main.zone, answers[main].as_of),
        reads_more_of_log=reads_more_of_log(answers[main], answers.values()),
        unpriced=unpriced.describe(totals, answers.get(by_model)),
        refusal=next(map(str, refused.values()), ""),
        as_of=answers[main].as_of,
        before=answers.get(before),
    )


def latest_day(organization: Organization) -> date | None:
    """Find the last day on which the organization has recorded a call; None if it never has."""
    latest: date | None = UsageDay.objects.filter(organization=organization).aggregate(latest=Max("date"))["latest"]
    return latest
