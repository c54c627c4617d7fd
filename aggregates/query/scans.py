"""The scans that a plan comes to: which rows of which table to add up, and how to tell their buckets apart."""

from bisect import bisect, bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from aggregates.domain.days import DAY
from aggregates.domain.dimensions import BY_NAME, TOTALS
from aggregates.domain.measures import MEASURES
from aggregates.query.planner import Plan
from aggregates.query.usage_query import Bucket, UsageQuery

SQL = tuple[str, list[Any]]
LOG = "aggregates_usagelog"
KEPT = ", ".join(measure.column for measure in MEASURES)
OF_CALLS = ", ".join(f"sum({m.of_call}){'' if m.is_decimal else '::bigint'}" for m in MEASURES)


@dataclass(frozen=True, slots=True)
class Scan:
    """Rows of a table, from `first` to before `until` by its `column` of time; `where` keeps to them."""

    table: str
    column: str
    first: date | datetime
    until: date | datetime
    where: str
    parameters: list[Any]

    @property
    def is_log(self) -> bool:
        return self.table == LOG

    def select(self, query: UsageQuery, keys: Sequence[str], bounds: Sequence[Any] = (), beside: str = "") -> SQL:
        """The measures of the query's calls among these rows, beside `keys`, expressions whose values are `bounds`.

        Those of the log are added up by these keys. Rows of aggregates are sums as they are, and left so. `beside` is
        what to join to each row.
        """
        kept, values = conditions(query)
        grouped = ", ".join(str(number) for number in range(1, len(keys) + 1))
        return (
            f"SELECT {', '.join(keys)}, {OF_CALLS if self.is_log else KEPT} FROM {self.table} {beside}"
            f" WHERE organization_id = %s AND {self.where}{kept}" + (f" GROUP BY {grouped}" if self.is_log else ""),
            [*bounds, query.organization.pk, *self.parameters, *values],
        )

    def bucket_number(self, query: UsageQuery) -> SQL:
        """The number, from 1, of the bucket of the query that a row falls into."""
        if query.bucket == Bucket.TOTAL:
            return "1", []
        starts: Sequence[Any] = query.buckets if self.is_log else query.bucket_dates
        if query.bucket == Bucket.DAY and not self.is_log and starts[-1] - starts[0] == (len(starts) - 1) * DAY:
            return f"{self.column} - %s + 1", [starts[0]]  # no zone skipped one of them
        before, end = bisect(starts, self.first) - 1, bisect_left(starts, self.until)
        type_ = "timestamptz" if self.is_log else "date"
        return f"{before} + width_bucket({self.column}, %s::{type_}[])", [list(starts[before:end])]


def scans(plan: Plan) -> Iterator[Scan]:
    """All that the plan reads; what the log holds of it comes last."""
    if plan.grain is not None:
        yield from _of_periods(plan, plan.grain.name)
        yield from _of_days(plan, plan.grain.name if plan.grain != TOTALS else "")
    if plan.log_spans:
        where = " OR ".join("(timestamp >= %s AND timestamp < %s)" for _ in plan.log_spans)
        bounds = [bound for span in plan.log_spans for bound in (span.start, span.end)]
        first, until = plan.log_spans[0].start, plan.log_spans[-1].end
        yield Scan(LOG, "timestamp", first, until, f"({where})", bounds)


def _of_periods(plan: Plan, grain: str) -> Iterator[Scan]:
    """Whole months, and whole weeks."""
    for unit, periods in groupby(plan.periods, key=lambda period: period.unit):
        firsts = [period.first for period in periods]
        where, parameters = "grain = %s AND unit = %s AND first = ANY(%s)", [grain, unit, firsts]
        until = firsts[-1] + DAY
        yield Scan("aggregates_periodbreakdown", "first", firsts[0], until, where, parameters)


def _of_days(plan: Plan, grain: str) -> Iterator[Scan]:
    """Days that are in no period; without a grain, from their totals."""
    if not plan.daily_days:
        return
    first, last = plan.daily_days[0], plan.daily_days[-1]
    if plan.periods:  # and between them few days
        where, parameters = "date = ANY(%s)", list[Any]([list(plan.daily_days)])
    else:
        where, parameters = "date BETWEEN %s AND %s", [first, last]
        heads = set(plan.head_days)
        if between := [day for day in plan.log_days if day not in heads and first < day < last]:
            where += " AND date <> ALL(%s)"
            parameters.append(between)
    if grain:
        where += " AND grain = %s"
        parameters.append(grain)
    table = "aggregates_dailybreakdown" if grain else "aggregates_dailyaggregate"
    yield Scan(table, "date", first, last + DAY, where, parameters)


def conditions(query: UsageQuery) -> SQL:
    """The query's filters, as conditions on the log or on breakdowns: each begins with AND."""
    clauses, parameters = "", list[Any]()
    for pairs, one, several in ((query.filters, "= %s", "= ANY(%s)"), (query.excluded, "<> %s", "<> ALL(%s)")):
        for name in dict.fromkeys(name for name, _ in pairs):
            values = [value for given, value in pairs if given == name]
            clauses += f" AND {BY_NAME[name].column} {several if values[1:] else one}"
            parameters.append(values if values[1:] else values[0])
    return clauses, parameters
