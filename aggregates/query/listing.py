"""The calls behind a query: a page at a time, newest first, by the index on organization and timestamp."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aggregates.domain.days import INSTANT, Span
from aggregates.domain.measures import Sums
from aggregates.models import UsageLog
from aggregates.query.runner import Answer
from aggregates.query.scans import SQL, conditions
from aggregates.query.usage_query import UsageQuery

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACE = re.compile(r"(\d{1,17})-(\d{1,18})", re.ASCII)
TABLE = UsageLog._meta.db_table


@dataclass(frozen=True, slots=True)
class Kind:
    """Which calls to list: `condition` is SQL that begins with AND, `count` how many of a sum's calls these are."""

    name: str
    label: str
    condition: str
    count: Callable[[Sums], int]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("", "All", "", lambda sums: sums.calls),
        Kind("ok", "OK", " AND status = 'ok'", lambda sums: sums.calls - sums.errors),
        Kind("error", "Errors", " AND status = 'error'", lambda sums: sums.errors),
        Kind("unpriced", "No price", " AND cost IS NULL", lambda sums: sums.unpriced_calls),
    )
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a call stands in the list; as text, a part of an address."""

    timestamp: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.timestamp - EPOCH) // INSTANT}-{self.id}"

    @classmethod
    def of(cls, call: UsageLog) -> "Cursor":
        return cls(call.timestamp, call.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises ValueError."""
        found = PLACE.fullmatch(text)
        if not found:
            raise ValueError("expected a place in the list, as its links have it")
        return cls(EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


@dataclass(frozen=True, slots=True)
class PageBoundary:
    """The calls that are older than the one at a place, or newer."""

    place: Cursor
    is_older: bool = True

    @property
    def condition(self) -> SQL:
        sign = "<" if self.is_older else ">"
        moment = self.place.timestamp
        return f" AND timestamp {sign}= %s AND (timestamp {sign} %s OR id {sign} %s)", [moment, moment, self.place.id]

    def reaches(self, span: Span) -> bool:
        return span.start <= self.place.timestamp if self.is_older else span.end > self.place.timestamp


def spans_with(answer: Answer, kind: Kind) -> list[tuple[Span, int]]:
    """The parts of a range with calls of that kind, newest first, and how many; the answer is by day."""
    spans = {span.start: span for _, span in answer.query.days}
    counted = [(spans[row.start], kind.count(row.sums)) for row in answer.rows]
    return [(span, calls) for span, calls in reversed(counted) if calls]


def find(
    query: UsageQuery, kind: Kind, spans: Sequence[tuple[Span, int]], boundary: PageBoundary | None, limit: int
) -> list[UsageLog]:
    """The newest calls of the query that lie in the spans; or, of those that are newer than a place, the oldest.

    Newest first in any case. `spans` are newest first, with the number of calls in each, 0 where it is not known: no
    more of them are read than hold as many calls as are wanted.
    """
    order = "DESC" if boundary is None or boundary.is_older else "ASC"
    wanted = list(_needed(spans if order == "DESC" else reversed(spans), boundary, limit))
    where, values = conditions(query)
    place, of_place = boundary.condition if boundary else ("", [])
    calls = UsageLog.objects.raw(
        f"""
        SELECT call.* FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS span (first, until)
        CROSS JOIN LATERAL (
            SELECT * FROM {TABLE}
            WHERE organization_id = %s AND timestamp >= span.first AND timestamp < span.until
                {place}{where}{kind.condition}
            ORDER BY timestamp {order}, id {order} LIMIT %s
        ) AS call
        ORDER BY timestamp {order}, id {order} LIMIT %s
        """,
        [
            [span.start for span in wanted],
            [span.end for span in wanted],
            query.organization.pk,
            *of_place,
            *values,
            limit,
            limit,
        ],
    )
    return sorted(calls, key=lambda call: (call.timestamp, call.pk), reverse=True)


def _needed(spans: Iterable[tuple[Span, int]], boundary: PageBoundary | None, limit: int) -> Iterable[Span]:
    found = 0
    for span, calls in spans:
        if found >= limit:
            return
        if boundary and not boundary.reaches(span):
            continue
        yield span
        holds_place = boundary and span.start <= boundary.place.timestamp < span.end
        found += 0 if holds_place else calls  # of the day in which a page begins, nobody knows how many are left
