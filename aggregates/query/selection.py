"""What a page is asked to show, as a value: made by its form, and turned into queries by tiles, charts and tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b
from typing import Self

from aggregates.domain import days
from aggregates.domain.days import Span
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.ranges import OVER, Range
from aggregates.models import Organization
from aggregates.query.display_measures import DISPLAY_MEASURES, DisplayMeasure
from aggregates.query.usage_query import Bucket, UsageQuery

DEFAULT_BY = "model"
NO_BREAKDOWN = "none"
AUTO = "auto"
BUCKETS = (AUTO, "hour", "day", "week", "month")
BARS, LINES, CUMULATIVE, SHARE = "bars", "lines", "cumulative", "share"
CHARTS = (BARS, LINES, CUMULATIVE, SHARE)
BEFORE, YEAR, DATES = "before", "year", "dates"
COMPARISONS = (BEFORE, YEAR, DATES, *OVER)  # the earlier range: relative, of any dates, or a period that is over
COLUMNS = ("cost", "calls", "tokens")
LATENCY_COLUMNS = ("calls", "p50", "p95", "throughput")
CALL_COLUMNS = {
    **{name: name.capitalize() for name in BY_NAME},
    "input": "Input",
    "cached": "Cached",
    "output": "Output",
    "reasoning": "Reasoning",
    "took": "Took",
    "speed": "Tokens/s",
    "cost": "Cost",
    "status": "Status",
}  # of the list of calls, beside their times
PLAIN_CALL_COLUMNS = ("operation", "model", "user", "input", "output", "cost", "status")
PER_DAY = "_per_day"  # what follows one of these where ranges of unequal length are compared by the day
SHORT = 40  # bytes of a group that stands in an address as it is
MAX_HOURLY_DAYS = 31  # more bars than that cannot be told apart

TOPS = (5, 8, 10, 20)
DEFAULT_TOP = 8
MOST_WITH_SUBGROUPS = 8  # groups that have colours of their own, whose shades their subgroups have

CONTROLS = {
    "measure": tuple(DISPLAY_MEASURES),
    "by": (*BY_NAME, NO_BREAKDOWN),
    "subgroup": (*BY_NAME, NO_BREAKDOWN),
    "top": tuple(map(str, TOPS)),
    "bucket": BUCKETS,
    "chart": CHARTS,
    "compare": tuple(f"{name}{how}" for how in ("", PER_DAY) for name in COMPARISONS),
}  # what can be chosen besides range and filters

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Selection:
    """A range of an organization's usage, what to see of it, and how.

    `by` breaks it down, and `subgroup` each of its groups, of which the chart has the `top`; `filters` and `excluded`
    are as in UsageQuery; `hidden` are groups that the chart leaves out, None for Other. `beside` is the earlier range,
    where its dates were chosen. What was chosen and is not possible gives way: no hours over months, no shares of a
    ratio.
    """

    organization: Organization
    range: Range
    by: str | None = DEFAULT_BY
    subgroup: str | None = None
    filters: Pairs = ()
    excluded: Pairs = ()
    measure: str = "cost"
    top: int = DEFAULT_TOP
    bucket: str = AUTO
    chart: str = BARS
    compare: str = ""
    beside: Range | None = None
    hidden: tuple[str | None, ...] = ()
    columns: tuple[str, ...] = ()  # of its tables: names of measures; () for those that tables have anyway
    view: int | None = None  # the saved view that this began as; 0 for none, also where one would open by default
    has_hours: bool = True  # False where only daily aggregates are left of some of its days
    has_hours_before: bool = True  # and of the day within which the range that it is compared with ends

    @property
    def display(self) -> DisplayMeasure:
        return DISPLAY_MEASURES[self.measure]

    @property
    def shown_columns(self) -> tuple[DisplayMeasure, ...]:
        """The measures that its tables show: those that were chosen, or what fits the chart."""
        fitting = LATENCY_COLUMNS if self.display.is_latency else COLUMNS
        return tuple(DISPLAY_MEASURES[name] for name in self.columns or fitting)

    @property
    def can_be_hourly(self) -> bool:
        """A short range can, as long as its calls are kept."""
        log_from = self.organization.log_from
        is_short = self.has_hours and self.range.length <= MAX_HOURLY_DAYS
        return is_short and not (log_from and self.range.first < log_from)

    @property
    def step(self) -> Bucket:
        """What it is drawn by: unless chosen, hours for a short range, and days."""
        hourly = self.bucket == "hour" or (self.bucket == AUTO and self.range.is_hourly)
        if hourly:
            return Bucket.HOUR if self.can_be_hourly else Bucket.DAY
        return Bucket.DAY if self.bucket == AUTO else Bucket(self.bucket)

    @property
    def form(self) -> str:
        """The form of its chart: ratios cannot be stacked, so they are lines."""
        return self.chart if self.display.is_additive else LINES

    @property
    def charted(self) -> int:
        """How many groups its chart has: with subgroups no more than there are colours."""
        return min(self.top, MOST_WITH_SUBGROUPS) if self.subgroup else self.top

    def over_time(
        self,
        by: str | None = None,
        top: int | None = None,
        subgroup: str | None = None,
        top_within: int | None = None,
    ) -> UsageQuery:
        """Ask for usage by the step that it is drawn by."""
        return self._query(self.step, (by, subgroup), top, top_within)

    def in_all(
        self,
        by: str | None = None,
        top: int | None = None,
        subgroup: str | None = None,
        top_within: int | None = None,
    ) -> UsageQuery:
        """Ask for usage over the whole range."""
        return self._query(Bucket.TOTAL, (by, subgroup), top, top_within)

    @property
    def is_per_day(self) -> bool:
        return self.compare.endswith(PER_DAY)

    @property
    def compared_with(self) -> str:
        """Which of COMPARISONS it is compared with: the range before, unless one was chosen."""
        return self.compare.removesuffix(PER_DAY) or BEFORE

    @property
    def is_beside_year(self) -> bool:
        """Whether it is compared with a year earlier."""
        return self.compared_with == YEAR

    @property
    def compared(self) -> Self:
        """The same of the range that it is compared with, up to the same moment."""
        earlier, over = self._earlier, self._whole_days
        if over:
            earlier = self._whole_earlier.first_days(over.length)
        return replace(self, range=earlier, bucket=self.step.value)

    @property
    def comparable(self) -> Self:
        """The part of it that can be compared: all, or the whole days that are over where hours of the earlier range
        are no longer kept."""
        over = self._whole_days
        return replace(self, range=over, bucket=self.step.value) if over else self

    @property
    def is_compared_by_whole_days(self) -> bool:
        return self._whole_days is not None

    @property
    def _whole_earlier(self) -> Range:
        if self.beside and self.compared_with not in (BEFORE, YEAR):
            return self.beside
        return self.range.whole_year_before if self.is_beside_year else self.range.whole_before

    @property
    def _earlier(self) -> Range:
        return self.range.as_far(self._whole_earlier)

    @property
    def _whole_days(self) -> Range | None:
        """The days of it that are over, if it is under way, and what it is compared with ends on a day whose calls are
        no longer kept: only sums of that day are."""
        earlier, log_from = self._earlier, self.organization.log_from
        is_known = self.has_hours_before and not (log_from and earlier.last < log_from)
        return None if is_known or not earlier.is_cut else self.range.over_days

    def with_filter(self, name: str, value: str | None) -> Self:
        """Keep only this value of its dimension, or with `None` all of them; filters of other dimensions stay."""
        kept = [pair for pair in self.filters if pair[0] != name]
        filters = in_order([*kept, *([(name, value)] if value is not None else [])])
        excluded = tuple(pair for pair in self.excluded if pair[0] != name)
        return replace(self, filters=filters, excluded=excluded, hidden=())

    def keeping(self, name: str, *values: str) -> Self:
        """Keep these values, too, of their dimension."""
        added = [(name, value) for value in values]
        pairs = dict.fromkeys([*self.filters, *added])
        excluded = tuple(pair for pair in self.excluded if pair not in added)
        return replace(self, filters=in_order(pairs), excluded=excluded, hidden=())

    def excluding(self, name: str, values: Sequence[str]) -> Self:
        """Leave out calls that have these values."""
        filters = tuple(pair for pair in self.filters if pair[0] != name or pair[1] not in values)
        pairs = dict.fromkeys([*self.excluded, *((name, value) for value in values)])
        return replace(self, filters=filters, excluded=in_order(pairs), hidden=())

    def within(self, key: str, value: str) -> Self:
        """Keep only a subgroup of a group of its breakdown."""
        return self.with_filter(self.by or "", key).with_filter(self.subgroup or "", value)

    def without(self, name: str, value: str) -> Self:
        """Drop the filter that keeps this value, or leaves it out."""
        pair = (name, value)
        return replace(
            self,
            filters=tuple(each for each in self.filters if each != pair),
            excluded=tuple(each for each in self.excluded if each != pair),
        )

    def hides(self, key: str | None) -> bool:
        """Say whether the chart leaves out a group."""
        return key in self.hidden or (key is not None and handle_of(key) in self.hidden)

    def _query(
        self, bucket: Bucket, by: tuple[str | None, str | None], top: int | None, top_within: int | None
    ) -> UsageQuery:
        span, rank = self.range.span, self.display.rank
        dimensions = tuple(name for name in by if name)
        return UsageQuery(
            self.organization,
            span.start,
            span.end,
            bucket,
            dimensions,
            self.filters,
            top,
            excluded=self.excluded,
            rank=rank if dimensions else "cost",
            with_latency=self.display.is_latency,
            top_within=top_within if dimensions[1:] else None,
        )


def handle_of(key: str) -> str:
    """Give what stands for a group in an address that says what is hidden: a long one's digest."""
    is_short = len(key.encode()) <= SHORT and key.isprintable()
    return key if is_short else f"~{blake2b(key.encode(), digest_size=8).hexdigest()}"


def in_order(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Order filters by their dimensions, each of them once."""
    return tuple(sorted(dict.fromkeys(pairs), key=lambda pair: list(BY_NAME).index(pair[0])))


@dataclass(frozen=True)
class CallSelection(Selection):
    """Calls to list: those of the range, or of a part of it; `status` is the name of a kind of calls, "" for all,
    `sort` that of their order, "" for newest first, and `shown` are the list's columns, () for those it has anyway."""

    status: str = ""
    part: Span | None = None
    sort: str = ""
    shown: tuple[str, ...] = ()

    @property
    def call_columns(self) -> tuple[str, ...]:
        return self.shown or PLAIN_CALL_COLUMNS

    @property
    def span(self) -> Span:
        return self.part or self.range.span

    @property
    def by_day(self) -> UsageQuery:
        """How many there are on each day."""
        return replace(self.in_all(), start=self.span.start, end=self.span.end, bucket=Bucket.DAY)

    def kept_span(self, log_from: date | None) -> Span:
        """Give the part of the span whose calls are kept, where those of days before `log_from` are not; it may be
        empty."""
        if log_from is None:
            return self.span
        return Span(max(days.midnight(log_from, self.organization.time_zone), self.span.start), self.span.end)


@dataclass(frozen=True)
class GroupSelection(Selection):
    """All groups of its breakdown, in an `order`: those whose names contain what is `sought`."""

    order: str = "cost"
    sought: str = ""

    @property
    def shown_columns(self) -> tuple[DisplayMeasure, ...]:
        return tuple(DISPLAY_MEASURES[name] for name in self.columns or (*COLUMNS, "errors"))
