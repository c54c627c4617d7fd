"""All that the platform page shows: cost per day over all organizations, and which of them cost most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import groupby
from operator import itemgetter

from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats
from aggregates.domain.formats import plural
from aggregates.domain.measures import Sums
from aggregates.domain.ranges import Range
from aggregates.domain.wallclock import span_words, when
from aggregates.models import Organization
from aggregates.query import platform
from aggregates.query.display_measures import COST, DISPLAY_MEASURES, DisplayMeasure
from aggregates.query.earlier import Earlier
from aggregates.query.platform import OwnDays, Place, PlatformAnswer, PlatformQuery
from aggregates.query.selection import COLUMNS
from aggregates.query.usage_query import NoHours
from aggregates.web.charts.axes import State, axis_of_days
from aggregates.web.charts.figures import Figure, Series, Shape, figure_of
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.tables import Line, lines_of, whole_of
from aggregates.web.pages.tiles import Tile, tiles_of

TOP = 10
COLUMNS_SHOWN = tuple(DISPLAY_MEASURES[name] for name in COLUMNS)
REMARKS = {State.CUT: "is there of some organizations alone", State.OPEN: "is not over everywhere"}
Ranges = list[tuple[Place | None, Range]]


@dataclass(frozen=True)
class Comparison:
    """The sums of what can be compared, and of the ranges before, None if that is not known; and which ranges these
    are."""

    now: Sums
    before: Sums | None
    ranges_now: Ranges
    ranges_before: Ranges
    is_by_whole_days: bool = False

    @cached_property
    def earlier(self) -> Earlier:
        """What is compared in the zone that is the first to have it."""
        (_, now), (_, before) = min(
            zip(self.ranges_now, self.ranges_before, strict=True), key=lambda pair: pair[0][1].span.start
        )
        begins, first = platform.first_day(), min(each.first for _, each in self.ranges_before)
        is_late = begins is not None and first < begins
        return Earlier(now, before, self.is_by_whole_days, is_per_day=False, begins=begins if is_late else None)

    @property
    def words(self) -> str:
        """As for an organization; where they are in several places, each is cut at a time of its own."""
        before = [each for _, each in self.ranges_before]
        if self.earlier.begins or self.is_by_whole_days or len(before) == 1 or not any(each.is_cut for each in before):
            return self.earlier.words
        dates = span_words(min(each.first for each in before), max(each.last for each in before))
        return f"compared with {dates}, each up to the same moment"


@dataclass(frozen=True)
class Overview:
    answer: PlatformAnswer
    tiles: tuple[Tile, ...]
    figure: Figure
    caption: str  # which days not all organizations have, or not wholly
    lines: tuple[tuple[Organization | None, Line], ...]  # None is all the others
    total: Line
    columns: tuple[DisplayMeasure, ...]
    whole: str  # what shares are of
    provenance: str
    description: str
    words: str  # the dates of all
    comparison: Comparison


@prefer_standby
def load(chosen: Range, own: Mapping[Place, Range] | None = None) -> Overview:
    """Read the range of all organizations: those of each place have their own, if there is one for it."""
    pairs: Ranges = list(own.items()) if own else [(None, chosen)]
    with snapshot(PATIENCE):
        answer = platform.read(_query(pairs))
        comparison = _compare(answer.totals, pairs)
    whole = whole_of(answer.totals, "cost")
    words = span_words(answer.query.first, answer.query.last)
    before = comparison.before
    return Overview(
        answer,
        tiles_of(answer.totals, comparison.now, before, comparison.earlier),
        *_figure(answer, [each for _, each in pairs]),
        *_lines(answer, whole),
        COLUMNS_SHOWN,
        whole,
        provenance(answer),
        f"Cost by day, {words}: {formats.cost(answer.totals)}.",
        words,
        comparison,
    )


def _query(pairs: Ranges) -> PlatformQuery:
    return PlatformQuery(
        tuple(OwnDays(each.first, each.last, each.span.end if each.is_cut else None, place) for place, each in pairs)
    )


def _compare(totals: Sums, pairs: Ranges) -> Comparison:
    """Read the ranges before, each up to the same moment as its own; or, where hours of then are no longer kept, whole
    days alone of both."""
    now, before = pairs, [(place, each.before) for place, each in pairs]
    try:
        return Comparison(totals, platform.read(_query(before)).totals, now, before)
    except NoHours:
        now = [(place, over) for place, each in pairs if (over := each.over_days)]
        whole = {place: each.whole_before for place, each in pairs}
        before = [(place, whole[place].first_days(over.length)) for place, over in now]
    if not now:  # nothing of today is over
        return Comparison(totals, None, pairs, [(place, each.before) for place, each in pairs])
    of_now, of_before = (platform.read(_query(each)).totals for each in (now, before))
    return Comparison(of_now, of_before, now, before, is_by_whole_days=True)


def _figure(answer: PlatformAnswer, ranges: Sequence[Range]) -> tuple[Figure, str]:
    """Draw the days of all, and say which of them are hatched."""
    dates: list[date] = answer.query.dates
    states = [_state(day, ranges) for day in dates]
    values = tuple(answer.by_date.get(day, Sums()).cost for day in dates)
    figure = figure_of(axis_of_days(dates, states), [Series("Cost", "series-1", values)], Shape.BARS, COST)
    return figure, _caption(dates, states)


def _state(day: date, ranges: Sequence[Range]) -> State:
    """Say whether a day is over in all zones, and in the ranges of all."""
    if any(each.open_at and each.last <= day for each in ranges):
        return State.OPEN
    return State.WHOLE if all(each.first <= day <= each.last for each in ranges) else State.CUT


def _caption(dates: Sequence[date], states: Sequence[State]) -> str:
    alike = [[*each] for _, each in groupby(zip(dates, states, strict=True), key=itemgetter(1))]
    remarks = [
        f"{span_words(found[0][0], found[-1][0])} {REMARKS[state]}"
        for found in alike
        if (state := found[0][1]) in REMARKS
    ]
    return f"Hatched: {'; '.join(remarks)}." if remarks else ""


def _lines(answer: PlatformAnswer, whole: str) -> tuple[tuple[tuple[Organization | None, Line], ...], Line]:
    top, rest = answer.by_organization[:TOP], answer.by_organization[TOP:]
    organizations = Organization.objects.in_bulk([pk for pk, _ in top])
    groups: list[tuple[str | None, Sums]] = [(str(pk), sums) for pk, sums in top]
    if rest:
        groups.append((None, Sums.of(sums for _, sums in rest)))
    lines, total = lines_of(groups, answer.totals, whole, COLUMNS_SHOWN)
    return tuple((organizations[int(line.key)] if line.key is not None else None, line) for line in lines), total


def provenance(answer: PlatformAnswer) -> str:
    """Say where the numbers are from, as the dashboard does; days count once for each organization with usage."""
    parts = []
    if answer.aggregate_days and answer.rolled_at:
        rolled = when(answer.rolled_at, "UTC", answer.as_of)
        parts.append(f"{plural(answer.aggregate_days, 'organization day')} from daily aggregates, rolled up {rolled}")
    if answer.log_days:
        parts.append(f"{plural(answer.log_days, 'organization day')} live from the log")
    return f"{'; '.join(parts)}." if parts else "No usage on any of these days."
