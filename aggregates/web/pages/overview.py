"""All that the platform page shows: cost per day over all organizations, and which of them cost most."""

from dataclasses import dataclass
from datetime import date

from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats
from aggregates.domain.formats import plural
from aggregates.domain.measures import Sums
from aggregates.domain.ranges import Range
from aggregates.domain.wallclock import when
from aggregates.models import Organization
from aggregates.query import platform
from aggregates.query.display_measures import COST
from aggregates.query.platform import PlatformAnswer, PlatformQuery
from aggregates.web.charts.axes import axis_of_days
from aggregates.web.charts.figures import Figure, Series, Shape, figure_of
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.tables import Line, lines_of, whole_of
from aggregates.web.pages.tiles import TILES, Tile

TOP = 10


@dataclass(frozen=True)
class Overview:
    answer: PlatformAnswer
    tiles: tuple[Tile, ...]
    figure: Figure
    lines: tuple[tuple[Organization | None, Line], ...]  # None is all the others
    whole: str  # what shares are of
    provenance: str
    description: str


@prefer_standby
def load(chosen: Range) -> Overview:
    with snapshot(PATIENCE):
        answer = platform.read(PlatformQuery(chosen.first, chosen.last))
        before = platform.read(PlatformQuery(chosen.before.first, chosen.before.last))
    whole = whole_of(answer.totals, "cost")
    return Overview(
        answer,
        tuple(tile(answer.totals, before.totals) for tile in TILES),
        _figure(answer),
        _lines(answer, whole),
        whole,
        provenance(answer),
        f"Cost by day, {chosen.words}: {formats.cost(answer.totals)}.",
    )


def _figure(answer: PlatformAnswer) -> Figure:
    dates: list[date] = answer.query.dates
    values = tuple(answer.by_date.get(day, Sums()).cost for day in dates)
    return figure_of(axis_of_days(dates), [Series("Cost", "series-1", values)], Shape.BARS, COST)


def _lines(answer: PlatformAnswer, whole: str) -> tuple[tuple[Organization | None, Line], ...]:
    top, rest = answer.by_organization[:TOP], answer.by_organization[TOP:]
    organizations = Organization.objects.in_bulk([pk for pk, _ in top])
    groups: list[tuple[str | None, Sums]] = [(str(pk), sums) for pk, sums in top]
    if rest:
        groups.append((None, Sums.of(sums for _, sums in rest)))
    lines = lines_of(groups, answer.totals, whole)
    return tuple((organizations[int(line.key)] if line.key is not None else None, line) for line in lines)


def provenance(answer: PlatformAnswer) -> str:
    """Say where the numbers are from, as the dashboard does; days count once for each organization with usage."""
    parts = []
    if answer.aggregate_days and answer.rolled_at:
        rolled = when(answer.rolled_at, "UTC", answer.as_of)
        parts.append(f"{plural(answer.aggregate_days, 'organization day')} from daily aggregates, rolled up {rolled}")
    if answer.log_days:
        parts.append(f"{plural(answer.log_days, 'organization day')} live from the log")
    return f"{'; '.join(parts)}." if parts else "No usage on any of these days."
