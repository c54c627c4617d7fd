"""The calls and charges behind a query: a page at a time, newest or most expensive first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg.sql import SQL, Composable, Composed

from aggregates.db.sql import table, text
from aggregates.domain.days import Span
from aggregates.domain.measures import Sums
from aggregates.models import UsageLog
from aggregates.query.answer import Answer
from aggregates.query.call_order import ORDERS, CostCursor, Cursor, Order
from aggregates.query.scans import conditions, filters_of
from aggregates.query.usage_query import UsageQuery


@dataclass(frozen=True, slots=True)
class Kind:
    """Which calls to list: `condition` keeps to them and begins with AND, `count` says how many of a sum's calls these
    are."""

    name: str
    label: str
    condition: SQL
    count: Callable[[Sums], int]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("", "All", SQL(""), lambda sums: sums.rows),
        Kind("ok", "OK", SQL(" AND status = 'ok' AND kind = 'call'"), lambda sums: sums.calls - sums.errors),
        Kind("error", "Errors", SQL(" AND status = 'error'"), lambda sums: sums.errors),
        Kind("unpriced", "No price", SQL(" AND cost IS NULL"), lambda sums: sums.unpriced_calls),
        Kind("charge", "Charges", SQL(" AND kind = 'charge'"), lambda sums: sums.charges),
    )
}


@dataclass(frozen=True, slots=True)
class PageBoundary:
    """Where a page begins: with the calls that come after the one at a place (of the list by time: older ones), or
    before it."""

    cursor: Cursor | CostCursor
    is_older: bool = True

    @property
    def condition(self) -> SQL:
        return self.cursor.condition(is_beyond=self.is_older)[0]

    @property
    def parameters(self) -> list[Any]:
        return self.cursor.condition(is_beyond=self.is_older)[1]

    def reaches(self, span: Span) -> bool:
        return self.cursor.reaches(span, is_beyond=self.is_older)


FIND = SQL(
    """
    SELECT call.* FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS span (first, until)
    CROSS JOIN LATERAL (
        SELECT * FROM {log}
        WHERE organization_id = %s AND timestamp >= span.first AND timestamp < span.until{conditions}
        ORDER BY {order} LIMIT %s
    ) AS call
    ORDER BY {order} LIMIT %s
    """
)

IS_LISTED = SQL(
    "SELECT EXISTS (SELECT FROM {log} WHERE organization_id = %s AND timestamp = %s AND id = %s{conditions})"
)

Counted = tuple[Span, int]  # a part of a range, with how many calls to list are in it, 0 where that is not known


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of the list; `newer` and `older` are the places from which the pages before and after it begin."""

    calls: tuple[UsageLog, ...]
    newer: Cursor | CostCursor | None = None
    older: Cursor | CostCursor | None = None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The numbers of the calls before and after one in a list, None at its ends."""

    previous: int | None
    next: int | None


def call_conditions(query: UsageQuery, kind: Kind) -> tuple[Composed, list[Any]]:
    """Compose the conditions on calls of a kind that meet the query's filters: each begins with AND."""
    filters, values = filters_of(query)
    return Composed([conditions(filters), kind.condition]), values


def read_page(
    query: UsageQuery,
    kind: Kind,
    spans: Sequence[Counted],
    boundary: PageBoundary | None,
    length: int,
    order: Order = ORDERS[""],
) -> CallPage:
    """Read the page that begins at a boundary, or the first: at most `length` calls of the query, from the spans.

    `spans` are newest first. By time, no more of them are read than hold as many calls as are wanted; by cost, all are.
    """
    found = _find(query, kind, spans, boundary, length + 1, order)
    if boundary and not boundary.is_older and len(found) <= length:
        boundary = None  # those are first of all: the first page shows them, and fills up
        found = _find(query, kind, spans, None, length + 1, order)
    has_more = len(found) > length
    is_upwards = bool(boundary and not boundary.is_older)
    calls = (found[1:] if is_upwards else found[:length]) if has_more else found
    return CallPage(
        tuple(calls),
        newer=order.place.of(calls[0]) if calls and boundary else None,
        older=order.place.of(calls[-1]) if calls and (has_more or is_upwards) else None,
    )


def read_neighbours(
    query: UsageQuery, kind: Kind, spans: Sequence[Counted], call: UsageLog, order: Order
) -> Neighbours | None:
    """Read which calls are listed before and after one; None where it is not in the list. `spans` as for a page."""
    if not any(span.start <= call.timestamp < span.end for span, _ in spans) or not _is_listed(query, kind, call):
        return None
    place = order.place.of(call)
    before, after = (
        _find(query, kind, spans, PageBoundary(place, is_older=is_older), 1, order) for is_older in (False, True)
    )
    return Neighbours(*(found[0].pk if found else None for found in (before, after)))


def _is_listed(query: UsageQuery, kind: Kind, call: UsageLog) -> bool:
    of_calls, values = call_conditions(query, kind)
    statement = text(IS_LISTED.format(log=table(UsageLog), conditions=of_calls))
    with connection.cursor() as cursor:
        cursor.execute(statement, [query.organization.pk, call.timestamp, call.pk, *values])
        return bool(cursor.fetchone()[0])


def spans_with_calls(answer: Answer, kind: Kind, kept: Span) -> list[Counted]:
    """Give the parts of a range that have kept calls of a kind, newest first; the answer is by day."""
    spans = {span.start: (span.clipped(kept), day in answer.plan.lost_days) for day, span in answer.query.days}
    counted = [(*spans[row.start], kind.count(row.sums)) for row in answer.rows]
    return [(span, 0 if is_lost else calls) for span, is_lost, calls in reversed(counted) if span and calls]


def _find(
    query: UsageQuery,
    kind: Kind,
    spans: Sequence[Counted],
    boundary: PageBoundary | None,
    limit: int,
    order: Order,
) -> list[UsageLog]:
    """Find the first calls in the spans, or beyond a boundary; or, of those before it, the last. They come in order."""
    is_forwards = boundary is None or boundary.is_older
    chosen = [span for span, _ in spans]
    if order.is_by_time:
        chosen = list(_choose(spans if is_forwards else reversed(spans), boundary, limit))
    of_calls, values = call_conditions(query, kind)
    of_boundary: Composable = boundary.condition if boundary else SQL("")
    statement = FIND.format(
        log=table(UsageLog),
        conditions=Composed([of_boundary, of_calls]),
        order=order.forwards if is_forwards else order.backwards,
    )
    calls = UsageLog.objects.raw(
        text(statement),
        [
            [span.start for span in chosen],
            [span.end for span in chosen],
            query.organization.pk,
            *(boundary.parameters if boundary else []),
            *values,
            limit,
            limit,
        ],
    )
    return list(calls) if is_forwards else list(calls)[::-1]


def _choose(spans: Iterable[Counted], boundary: PageBoundary | None, limit: int) -> Iterable[Span]:
    """Choose as many spans beyond the boundary as hold so many calls."""
    counted = 0
    for span, calls in spans:
        if counted >= limit:
            return
        if boundary and not boundary.reaches(span):
            continue
        yield span
        holds_boundary = boundary and boundary.cursor.is_in(span)
        counted += 0 if holds_boundary else calls  # of the day in which a page begins, nobody knows how many are left
