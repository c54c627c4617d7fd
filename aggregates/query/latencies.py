"""The histograms of latencies that belong to answers: read from where they were planned, in the answers' own snapshot.

They are kept at grains of their own, so a day's sums may come from its aggregates and its latencies from the log. What
no grain holds, and what was rolled up before there were any, is read from the log call by call, and only so many calls
of it: beyond that, and where the log no longer has them, latencies are not known.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from psycopg.sql import SQL, Composable, Identifier

from aggregates.db.latency import IS_COUNTED, terms_of_calls
from aggregates.db.prepared import fetch_all
from aggregates.db.sql import listed, table_expression, text
from aggregates.domain.formats import count
from aggregates.domain.latency import Latency
from aggregates.query.answer import Answer, Group, Row
from aggregates.query.parts import PartShape, columns_of, is_log, key_names, part_of
from aggregates.query.planner import DayStates, Plan, choose_source
from aggregates.query.scans import NOTHING, Scan, Shape, rows_of, scans
from aggregates.query.usage_query import Bucket, LatencyQuery, QueryError, Source, UsageQuery

MOST_CALLS = 100_000  # of the log, that are added up for one answer
Statement = tuple[str, list[Any]]  # with its parameters


def with_latencies(answer: Answer, query: UsageQuery, day_states: DayStates) -> Answer:
    """Give the answer's sums the histograms of their calls, or say why these are not known; `query` is the answer's,
    with the source that it was read from."""
    asked = LatencyQuery.of(query)
    try:
        plan = choose_source(asked, day_states)
        _check_work(asked, plan, day_states)
    except QueryError as error:
        return replace(answer, without_latency=str(error))
    groups = sorted({row.group for row in answer.rows}, key=_place)
    found = dict(_read(asked, list(scans(plan)), groups))
    return replace(answer, rows=tuple(_with_latency(row, found) for row in answer.rows))


def _place(group: Group) -> tuple[int, tuple[str, ...]]:
    """Give the place of a group among all: the rests of groups that have subgroups come after these, Other last."""
    named = tuple(key for key in group or () if key is not None)
    return 2 if group is None else int(None in group), named


def _check_work(query: LatencyQuery, plan: Plan, day_states: DayStates) -> None:
    """Raise QueryError if too many calls would have to be read from the log, unless it was asked for."""
    read_whole = set(plan.log_days) - set(plan.head_days)
    calls = sum(day_states.states[day].calls for day in read_whole if day in day_states.states)
    if query.source == Source.LOG or calls <= MOST_CALLS:
        return
    if query.grain is None:
        reason = f"no daily aggregate holds {query.asked}: ask for fewer days"
    elif query.bucket == Bucket.HOUR:
        reason = "daily aggregates know no hours: ask by day, or for fewer days"
    else:
        reason = "their days are to be rolled up first: ask later, or for fewer days"
    many = "so many" if query.scope else f"more than {count(MOST_CALLS)}"  # others' calls are among them
    raise QueryError(f"Latencies of {many} calls are not read from the log, and {reason}.")


def _with_latency(row: Row, found: dict[tuple[Any, Group], Latency]) -> Row:
    return row._replace(sums=row.sums._replace(latency=found.get((row.start, row.group), Latency())))


def _read(
    query: LatencyQuery, found: Sequence[Scan], groups: Sequence[Group]
) -> Iterator[tuple[tuple[Any, Group], Latency]]:
    """Read the histogram of each bucket and group, Other the last of these: it has all that are not among them."""
    if not found or not groups:
        return
    for bucket, place, terms, amounts in fetch_all(*_statement(query, found, groups)):
        group = None if place is None else groups[place - 1]
        yield (query.buckets[bucket - 1], group), Latency.of_terms(dict(zip(terms, amounts, strict=True)))


def _statement(query: LatencyQuery, found: Iterable[Scan], groups: Sequence[Group]) -> Statement:
    """Compose what gives, for the number of each bucket and the place of each group among `groups`, its terms."""
    shape, parameters = part_of(query, found)
    known = [group for group in groups if group and None not in group]
    rests = [group[0] for group in groups if group and None in group]
    values = [list(column) for column in zip(*known, strict=True)] if known else [[] for _ in query.by]
    has_other = bool(query.by) and (None in groups or bool(rests))
    kept = [list({*column, *(rests if place == 0 else [])}) for place, column in enumerate(values)] if has_other else []
    parameters = [*kept, *parameters]
    parameters += [len(known)] if query.top_within else []
    parameters += values if query.by else []
    parameters += [rests] if query.top_within else []
    return _text(shape, has_other, bool(query.top_within)), parameters


@lru_cache(maxsize=500)
def _text(shape: PartShape, has_other: bool, has_rests: bool) -> str:
    keys = key_names(shape.by)
    names = [Identifier("bucket"), *keys]
    parts = SQL(" UNION ALL ").join(
        _terms(scan, SQL(number), columns_of(shape.by), names, shape.filters, are_kept=has_other)
        for number, scan in shape.scans
    )
    groups = SQL("{} JOIN unnest({}) WITH ORDINALITY AS known ({}, place) USING ({})").format(
        SQL("LEFT" if has_other else ""), listed(SQL("%s::text[]") for _ in keys), listed(keys), listed(keys)
    )
    place = SQL("known.place") if keys else SQL("1")
    if has_rests:
        rests = SQL(" LEFT JOIN unnest(%s::text[]) WITH ORDINALITY AS rest ({}, place) ON rest.{} = part.{}")
        groups += rests.format(keys[0], keys[0], keys[0])
        place = SQL("COALESCE(known.place, %s + rest.place)")
    return text(
        SQL(
            """
            WITH {kept}{part}
            SELECT bucket, place, array_agg(term), array_agg(amount) FROM (
                SELECT bucket, {place} AS place, term, sum(amount)::bigint AS amount FROM part {groups} GROUP BY 1, 2, 3
            ) AS summed GROUP BY bucket, place
            """
        ).format(
            kept=NOTHING.join(_kept(place) for place in range(len(keys)) if has_other),
            part=table_expression("part", listed([*names, SQL("term"), SQL("amount")]), parts),
            place=place,
            groups=groups if keys else NOTHING,
        )
    )


def _kept(place: int) -> Composable:
    """Compose the values of a dimension that any known group has."""
    return SQL("{} AS MATERIALIZED (SELECT unnest(%s::text[]) AS key), ").format(_name_of_kept(place))


def _name_of_kept(place: int) -> Identifier:
    return Identifier(f"kept_{place + 1}")


def _terms(
    scan: Shape,
    number: Composable,
    columns: Sequence[Composable],
    names: Sequence[Composable],
    filters: Any,
    *,
    are_kept: bool,
) -> Composable:
    """Compose the terms of a scan. Of calls, whatever is in no known group is added up as one where only some values
    `are_kept`: of a long tail there would be as many groups as calls."""
    if not is_log(scan):
        keys = [number, *columns]
        return SQL("SELECT {}, term, amount FROM {}").format(listed(keys), rows_of(scan, filters, keys=keys))
    found = [
        SQL("CASE WHEN {0} IN (SELECT key FROM {1}) THEN {0} END").format(column, _name_of_kept(place))
        if are_kept
        else column
        for place, column in enumerate(columns)
    ]
    return terms_of_calls([number, *found], names, SQL("{} AND {}").format(rows_of(scan, filters), IS_COUNTED))
