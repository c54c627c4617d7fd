"""Read the answers to queries, each from where it was planned.

The numbers are the same wherever they come from. All queries of one request are read in one snapshot, so they agree.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from aggregates.db.prepared import fetch_all
from aggregates.db.snapshot import snapshot
from aggregates.domain.measures import Sums
from aggregates.query.answer import Answer, Row
from aggregates.query.day_states import read_day_states
from aggregates.query.latencies import with_latencies
from aggregates.query.long_tails import LongTails, is_long_tail
from aggregates.query.planner import DayStates, Plan, choose_source
from aggregates.query.scans import scans
from aggregates.query.sharing import shared_statement, sharing
from aggregates.query.statements import batches, statement_for
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery

NUMBER_OF_QUERY = itemgetter(0)  # in rows of statements, which come query by query


def read(
    queries: Iterable[UsageQuery], refused: dict[UsageQuery, QueryError] | None = None, *, seconds: int | None = None
) -> dict[UsageQuery, Answer]:
    """Answer queries about one organization, all in one snapshot.

    Raises QueryError for one that cannot be answered; or puts that into `refused`, and answers the others. Raises
    TimedOut if a statement, which may answer several, takes longer than so many seconds.
    """
    return _read(dict.fromkeys(queries), refused, seconds)


def _read(
    wanted: Iterable[UsageQuery], refused: dict[UsageQuery, QueryError] | None, seconds: int | None
) -> dict[UsageQuery, Answer]:
    with snapshot(seconds) as now:
        if not wanted:
            return {}
        (organization,) = {query.organization for query in wanted}
        first, last = min(query.first for query in wanted), max(query.last for query in wanted)
        zone, day_states = read_day_states(organization, first, last, now)
        plans = {}
        for query in wanted:
            try:
                plans[query] = choose_source(_as_cut_now(query, zone), day_states)
            except QueryError as error:
                if refused is None:
                    raise
                refused[query] = error
        return _with_latencies(_answers(plans, day_states, now), zone, day_states)


def _as_cut_now(query: UsageQuery, zone: str) -> UsageQuery:
    """Send a query to the log that was cut in a time zone which has changed since: nothing else can answer it."""
    return query if query.zone == zone else replace(query, source=Source.LOG)


def _with_latencies(answers: dict[UsageQuery, Answer], zone: str, day_states: DayStates) -> dict[UsageQuery, Answer]:
    return {
        query: with_latencies(answer, _as_cut_now(query, zone), day_states) if query.with_latency else answer
        for query, answer in answers.items()
    }


def _answers(plans: dict[UsageQuery, Plan], day_states: DayStates, now: datetime) -> dict[UsageQuery, Answer]:
    added_up = {query: series for query in plans if (series := _series_of(query, plans))}
    tails = [query for query in plans if is_long_tail(query, day_states)]
    rows = _read_rows({query: plan for query, plan in plans.items() if query not in tails and query not in added_up})
    rows |= {query: _in_all(query, rows[series]) for query, series in added_up.items()}
    if tails:
        rows |= _read_long_tails({query: plans[query] for query in tails}, day_states, rows)
    return {query: Answer(query, tuple(rows[query]), plan, now) for query, plan in plans.items()}


def _series_of(query: UsageQuery, others: Iterable[UsageQuery]) -> UsageQuery | None:
    """Find the question by bucket, if there is one, whose rows add up to what a query asks for: that of no groups."""
    if query.bucket != Bucket.TOTAL or query.by:
        return None
    for each in others:
        alike = replace(each, bucket=query.bucket, rank=query.rank, with_latency=query.with_latency)
        if each.bucket != query.bucket and alike == query:
            return each
    return None


def _in_all(query: UsageQuery, rows: Sequence[Row]) -> list[Row]:
    return [Row(query.start, (), Sums.of(row.sums for row in rows))] if rows else []


def _read_long_tails(
    plans: dict[UsageQuery, Plan], day_states: DayStates, known: dict[UsageQuery, list[Row]]
) -> dict[UsageQuery, list[Row]]:
    """Read the first of many groups by what is known of their order; where that does not say, as all others."""
    known = dict(known)

    def fetch(query: UsageQuery) -> list[Row]:
        if query not in known:
            known.update(_read_rows({query: choose_source(query, day_states)}))
        return known[query]

    found = LongTails(plans, fetch, lambda query: list(scans(choose_source(query, day_states))))
    return {
        query: rows if (rows := found.rows_of(query)) is not None else _read_rows({query: plan})[query]
        for query, plan in plans.items()
    }


def _read_rows(plans: dict[UsageQuery, Plan]) -> dict[UsageQuery, list[Row]]:
    rows: dict[UsageQuery, list[Row]] = {query: [] for query in plans}
    apart = list(batches(plans))
    for queries in sharing(apart, plans):
        most = max(len(query.by) for query in queries)
        for number, answered in groupby(fetch_all(*shared_statement(queries, plans)), NUMBER_OF_QUERY):
            rows[queries[number - 1]] += _rows_of(queries[number - 1], answered, bucket=2, most=most)
        apart = [each for each in apart if each[0] not in queries]
    for queries in apart:
        scans_of_each = [list(scans(plans[query])) for query in queries]
        if not scans_of_each[0]:
            continue  # without usage, for all of them
        for number, answered in groupby(fetch_all(*statement_for(queries, scans_of_each)), NUMBER_OF_QUERY):
            rows[queries[number - 1]] += _rows_of(queries[number - 1], answered, bucket=1, most=len(queries[0].by))
    return rows


def _rows_of(query: UsageQuery, answered: Iterable[Sequence[Any]], *, bucket: int, most: int) -> Iterator[Row]:
    """Make rows of what a statement has answered to a query. The number of the bucket, from 1, stands at the place
    `bucket`; behind it the values of the group, for which there are `most` places, and then the sums."""
    starts, first, sums = query.buckets, bucket + 1, bucket + 1 + most
    end = first + len(query.by)
    for fields in answered:
        group = tuple(fields[first:end])
        yield Row(starts[fields[bucket] - 1], None if group and group[0] is None else group, Sums(*fields[sums:]))
