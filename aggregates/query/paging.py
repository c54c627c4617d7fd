"""Read no more of a breakdown than is asked for: a page of its rows, or the first of its groups."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from django.db import connection

from aggregates.db.snapshot import snapshot
from aggregates.domain.measures import Sums
from aggregates.query.answer import Answer, Row
from aggregates.query.day_states import read_states_for
from aggregates.query.latencies import with_latencies
from aggregates.query.planner import choose_source
from aggregates.query.scans import Scan, scans
from aggregates.query.statements import first_keys, first_rows
from aggregates.query.usage_query import UsageQuery

GROWTH = 16  # how many times as many buckets are read next, at most


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a row: by its bucket, then by its group in the order of its values' bytes; () if there is none."""

    start: datetime
    group: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """An answer with some of its rows; `next` is the place of the last, where there are more."""

    answer: Answer
    next: Place | None


def read_page(query: UsageQuery, after: Place | None, limit: int, *, seconds: int) -> Page:
    """Read at most so many rows of a query over time that come after a place, by bucket and group, whatever the rank.

    Buckets are read a few at a time, so that a page costs little more than its own rows. Raises QueryError if any part
    of the whole cannot be answered, ValueError if no bucket begins at the place, TimedOut.
    """
    first = query.buckets.index(after.start) if after else 0
    rows: list[Row] = []
    with snapshot(seconds) as now:
        day_states = read_states_for(query, now)
        plan = choose_source(query, day_states)
        if after and not query.by:
            first, after = first + 1, None
        size = 1 if query.by else limit + 1
        while len(rows) <= limit and first < len(query.buckets):
            part, before = _part(query, first, first + size), len(rows)
            found = list(scans(choose_source(part, day_states, whole=query)))
            rows += _rows(part, found, after.group if after else None, limit + 1 - before) if found else ()
            first, after = first + size, None
            size = _next_size(size, len(rows) - before, limit + 1 - len(rows))
        answer = Answer(query, tuple(rows[:limit]), plan, now)
        if query.with_latency:
            answer = with_latencies(answer, query, day_states)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(answer, Place(last.start, tuple(key or "" for key in last.group or ())) if last else None)


def read_keys(query: UsageQuery, limit: int, *, seconds: int) -> tuple[str, ...]:
    """Read the first groups of a breakdown by one dimension over the whole range, as the query ranks them, without
    what is not known. Raises QueryError, TimedOut."""
    with snapshot(seconds) as now, connection.cursor() as cursor:
        found = list(scans(choose_source(query, read_states_for(query, now))))
        if not found:
            return ()
        cursor.execute(*first_keys(query, found, limit))
        return tuple(key for (key,) in cursor.fetchall())


def _part(query: UsageQuery, first: int, until: int) -> UsageQuery:
    """Ask the same about the buckets of these numbers, from `first` to before `until`."""
    starts = query.buckets
    end = starts[until] if until < len(starts) else query.end
    return replace(query, start=max(starts[first], query.start), end=end)


def _rows(query: UsageQuery, found: list[Scan], after: tuple[str, ...] | None, limit: int) -> Iterator[Row]:
    with connection.cursor() as cursor:
        cursor.execute(*first_rows(query, found, after, limit))
        sums = 1 + len(query.by)  # where they begin
        for fields in cursor.fetchall():
            yield Row(query.buckets[fields[0] - 1], fields[1:sums], Sums(*fields[sums:]))


def _next_size(size: int, found: int, wanted: int) -> int:
    """Guess how many buckets hold the rows that are wanted, going by those that were found in so many."""
    return min(GROWTH * size, ceil(wanted * size / found)) if found and wanted > 0 else GROWTH * size
