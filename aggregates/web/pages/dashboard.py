"""All that the dashboard shows, read in one snapshot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats
from aggregates.domain.latency import WIDTH
from aggregates.domain.measures import Sums
from aggregates.models import Organization, UsageDay
from aggregates.pricing.price_changes import read_all_notes
from aggregates.query.answer import Answer
from aggregates.query.display_measures import DISPLAY_MEASURES
from aggregates.query.earlier import Earlier, earlier_of
from aggregates.query.notes import Note
from aggregates.query.provenance import provenance, reads_more_of_log
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.units import UnitSums, UnitTotals, has_units, read_units
from aggregates.query.usage_query import Bucket, NoHours, QueryError, UsageQuery
from aggregates.web.charts import CHARTS
from aggregates.web.charts.axes import axis_of
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.notes import with_notes
from aggregates.web.pages import tables, unpriced
from aggregates.web.pages.columns import Cell, cells_of
from aggregates.web.pages.tables import Table
from aggregates.web.pages.tiles import Tile, latency_tiles, tiles_of

NO_UNITS = UnitTotals(())
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
    units: UnitTotals  # what has a price of its own
    without_units: str  # why that cannot be said
    refusal: str  # why all of it, or some breakdowns, cannot be answered
    as_of: datetime
    notes: tuple[Note, ...] = ()  # what is known of its days
    before: Answer | None = None  # what its tiles compare with, if that is known
    comparable: Sums = Sums()  # and the sums of that part of the range that is compared
    earlier: Earlier | None = None
    failed: bool = False  # there is nothing but a refusal
    subgroups_refused: bool = False  # groups may be known all the same
    lacks_hours_before: bool = False  # the range that it is compared with ends on a day whose hours are not known
    without_latency: str = ""  # why what is shown of latencies is not known
    model_to_price: str = ""  # that with most calls without a price
    latencies: str = ""  # of which calls these are, and how exact

    @property
    def unit_lines(self) -> tuple[tuple[UnitSums, tuple[Cell, ...]], ...]:
        """What has a price of its own, each with the cells of its calls and their cost."""
        columns = [DISPLAY_MEASURES[name] for name in ("calls", "cost")]
        cells = cells_of(columns, [each.sums for each in self.units.units])
        return tuple(zip(self.units.units, cells, strict=True))


@prefer_standby
def load(selection: Selection, *, is_open: bool = False) -> Dashboard:
    """Collect the queries of every part, read them at once, and hand each part its answers; by day where hours are not
    known, whole days beside whole days where those of before are not, and without subgroups where these are not.

    A page asks for the subgroups in its table when one opens it; for a file, all of it `is_open`.
    """
    try:
        loaded = _load(selection, is_open)
    except NoHours:
        selection = replace(selection, has_hours=False)
        loaded = _load(selection, is_open)
    if selection.subgroup and loaded.subgroups_refused:
        whole = load(replace(selection, subgroup=None), is_open=is_open)
        return replace(whole, refusal=whole.refusal or loaded.refusal)
    by_whole_days = replace(selection, has_hours_before=False)
    if loaded.lacks_hours_before and selection.has_hours_before and by_whole_days.is_compared_by_whole_days:
        return _load(by_whole_days, is_open)
    return loaded


def _load(selection: Selection, is_open: bool) -> Dashboard:
    main = selection.over_time()
    whole, before, comparable = (
        replace(each.in_all(), with_latency=True) for each in (selection, selection.compared, selection.comparable)
    )
    only_some = [comparable] if selection.is_compared_by_whole_days else []
    charts = [query for chart in CHARTS for query in chart.queries(selection)]
    top = {name: tables.query_of(name, selection, is_open=is_open) for name in tables.names_of(selection)}
    refused: dict[UsageQuery, QueryError] = {}
    by_model = unpriced.query_of(selection)
    try:
        with snapshot(PATIENCE):
            asked = [main, whole, before, *only_some, *charts, *top.values()]
            if len(main.days) <= settings.LIVE_DAYS:  # costs next to nothing with the others, which read the log
                asked.append(by_model)
            answers = read(asked, refused, seconds=PATIENCE)
            if main in refused:
                raise refused[main]
            totals = answers[main].totals._replace(latency=answers[whole].totals.latency)
            models = answers.get(by_model) or unpriced.of_first(answers.get(top["model"]))
            if totals.unpriced_calls and not models:
                models = read([by_model], refused, seconds=PATIENCE).get(by_model)
            notes = read_all_notes(selection) if totals.rows else ()
            units, without_units = _units(selection) if totals.rows else (NO_UNITS, "")
            earlier = earlier_of(selection)
    except (QueryError, TimedOut) as error:
        if isinstance(error, NoHours) and selection.step == Bucket.HOUR:
            raise
        return Dashboard(
            selection, Sums(), (), (), (), "", False, "", NO_UNITS, "", str(error), timezone.now(), failed=True
        )
    shows_latency = selection.display.is_latency or any(column.is_latency for column in selection.shown_columns)
    now = answers[comparable].totals if comparable in answers else totals
    is_known = before in answers and (comparable in answers or not only_some)
    compared_with = answers[before] if is_known else None
    sums_before = compared_with.totals if compared_with else None
    axis = axis_of(main, answers[main].as_of)
    return Dashboard(
        selection=selection,
        totals=totals,
        tiles=(
            *tiles_of(totals, now, sums_before, earlier),
            *latency_tiles(totals, now, sums_before, earlier, answers[whole].without_latency),
        ),
        charts=tuple(
            with_notes(chart.draw(selection, answers, axis), main, notes)
            for chart in CHARTS
            if chart.queries(selection)[0] in answers
        ),
        tables=tuple(
            tables.table_of(name, answers[query], selection) for name, query in top.items() if query in answers
        ),
        provenance=provenance(answers[main].plan, main.zone, answers[main].as_of),
        reads_more_of_log=reads_more_of_log(answers[main], answers.values()),
        unpriced=unpriced.describe(totals, models),
        model_to_price=unpriced.model_to_price(models) if totals.unpriced_calls else "",
        units=units,
        without_units=without_units,
        refusal=next(map(str, refused.values()), ""),
        as_of=answers[main].as_of,
        notes=notes,
        before=compared_with,
        comparable=now,
        earlier=earlier,
        subgroups_refused=any(query.top_within for query in refused),
        lacks_hours_before=isinstance(refused.get(before), NoHours),
        without_latency=_without_latency(answers.values()) if shows_latency else "",
        latencies=_latencies(totals) if shows_latency else "",
    )


def others_of(selection: Selection, name: str, keys: Sequence[str | None]) -> Selection:
    """Select what is shown as Other beside these groups of a dimension."""
    return selection.excluding(name, [key for key in keys if key is not None])


def rest_of(selection: Selection, key: str, subkeys: Iterable[str | None]) -> Selection:
    """Select what is shown as the rest of a group beside these subgroups of it."""
    others = [each for each in subkeys if each is not None]
    return selection.with_filter(selection.by or "", key).excluding(selection.subgroup or "", others)


def others_in(dashboard: Dashboard) -> Iterator[Selection]:
    """Give what is behind Other, and behind the rests of groups, in its chart to explore with, where these are
    shown."""
    selection = dashboard.selection
    for drawn in dashboard.charts:
        if drawn.name != "explore" or not selection.by:
            continue
        if None in drawn.keys:
            yield others_of(selection, selection.by, drawn.keys)
        for one in drawn.series:
            subkeys = [part.subkey for part in one.parts]
            if one.key is not None and None in subkeys:
                yield rest_of(selection, one.key, subkeys)


def _latencies(totals: Sums) -> str:
    """Say of which calls latencies are, and how exact."""
    if totals.latency is None:
        return ""
    told, all_calls = formats.count(totals.latency.calls), formats.plural(totals.calls, "call")
    return (
        f"Latencies are of the {told} of {all_calls} that tell them and did not fail; percentiles are right to "
        f"±{formats.of_hundred(WIDTH)}."
    )


def _without_latency(answers: Iterable[Answer]) -> str:
    return next((answer.without_latency for answer in answers if answer.without_latency), "")


def _units(selection: Selection) -> tuple[UnitTotals, str]:
    """What has a price of its own in the range, or why that cannot be said: the rest of the page can."""
    try:
        found = read_units(selection.in_all(), seconds=PATIENCE)
    except (QueryError, TimedOut) as error:
        return NO_UNITS, str(error)
    if found.units or not found.missing or not has_units(selection.organization):
        return found, ""
    return NO_UNITS, f"{found.missing}, and nothing else knows what had a price of its own."


def latest_day(organization: Organization) -> date | None:
    """Find the last day on which the organization has recorded a call; None if it never has, and within a scope."""
    if organization.scope:
        return None
    latest: date | None = UsageDay.objects.filter(organization=organization).aggregate(latest=Max("date"))["latest"]
    return latest
