"""The SQL statements that answer queries, over the scans that their plans come to.

A statement's text depends on the shape of its queries and scans alone, never on a value: each shape is composed once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from psycopg.sql import SQL, Composed, Identifier, Literal

from aggregates.db.sql import NAMES, SUMS, listed, sum_of_part, table_expression, text
from aggregates.domain.dimensions import LONG_TAIL
from aggregates.domain.measures import MEASURES, RANKS
from aggregates.query.parts import (
    Dimensions,
    PartShape,
    by_rank,
    columns_of,
    heights,
    heights_of,
    is_narrow,
    key_names,
    part,
    part_of,
    select,
)
from aggregates.query.planner import Plan
from aggregates.query.scans import NOTHING, Filter, Scan, Shape, filters_of
from aggregates.query.usage_query import Bucket, UsageQuery

Statement = tuple[str, list[Any]]  # with its parameters


def batches(plans: Mapping[UsageQuery, Plan]) -> Iterable[list[UsageQuery]]:
    """Put together queries that one statement answers: breakdowns by as many dimensions that differ in nothing else,
    and are read from the same days and periods."""
    groups = dict[object, list[UsageQuery]]()
    for query, plan in plans.items():
        is_one_of_many = _is_breakdown(query)
        alike = (
            (len(query.by), replace(query, by=(), with_latency=False), replace(plan, grain=None, hour_grain=None))
            if is_one_of_many
            else query
        )
        groups.setdefault(alike, []).append(query)
    return groups.values()


def statement_for(queries: Sequence[UsageQuery], scans: Sequence[Sequence[Scan]]) -> Statement:
    """Compose one statement for queries that go together, over the scans of each.

    Its rows are the number of a query and that of its bucket, both from 1; a group's value of each dimension, all NULL
    for Other; and the sums. Groups come in the order in which the query ranks them.
    """
    return _breakdowns(queries, scans) if _is_breakdown(queries[0]) else _single(queries[0], scans[0])


def _is_breakdown(query: UsageQuery) -> bool:
    """Say whether groups are added up over the whole range; not where only the first of a long tail are wanted, as most
    sums would be made in vain."""
    is_whole = query.bucket == Bucket.TOTAL and not query.top_within
    return is_whole and bool(query.by) and not (query.top and LONG_TAIL in query.by)


def _breakdowns(queries: Sequence[UsageQuery], scans: Sequence[Sequence[Scan]]) -> Statement:
    """Add up and rank the groups of each query, with `top` the rest as Other. The log is read once for all."""
    first = queries[0]  # they differ in their dimensions alone
    numbered = [
        (number, scan) for number, of_query in enumerate(scans, start=1) for scan in of_query if not scan.is_log
    ]
    numbered += [(0, scan) for scan in scans[0] if scan.is_log]
    filters, values = filters_of(first)
    statement = _breakdowns_text(
        tuple(query.by for query in queries),
        tuple((number, scan.shape) for number, scan in numbered),
        filters,
        first.rank,
        bool(first.top),
    )
    parameters = [value for _, scan in numbered for value in scan.parameters_for(first, filters, values)]
    return statement, [*parameters, *([first.top] * len(first.by) if first.top else [])]


@lru_cache(maxsize=500)
def _breakdowns_text(
    breakdowns: tuple[Dimensions, ...],
    parts: tuple[tuple[int, Shape], ...],
    filters: tuple[Filter, ...],
    rank: str,
    has_other: bool,
) -> str:
    """Compose that: `parts` are the shapes of scans, each with the number of its query; 0 of the log's, for all."""
    keys = key_names(breakdowns[0])
    selects = (
        select(shape, [Literal(number), *columns_of(breakdowns[number - 1])], filters)
        if number
        else select(shape, [SQL("number"), *keys], filters, _each_breakdown(breakdowns, keys))
        for number, shape in parts
    )
    return text(
        SQL(
            """WITH {part},
            whole AS (
                SELECT number, {keys}, {sums}, row_number() OVER (PARTITION BY number {by_rank}) AS rank
                FROM part GROUP BY number, {keys}
            )
            {groups}
            """
        ).format(
            part=table_expression("part", listed([SQL("number"), *keys, NAMES]), SQL(" UNION ALL ").join(selects)),
            keys=listed(keys),
            sums=SUMS,
            by_rank=by_rank(rank, keys),
            groups=_first_and_other(keys) if has_other else _all_groups(keys),
        )
    )


def _each_breakdown(breakdowns: Sequence[Dimensions], keys: Sequence[Identifier]) -> Composed:
    """Compose what to join to each call of the log: its group in every breakdown, with the number of that."""
    groups = listed(
        SQL("({}, {})").format(Literal(n), listed(columns_of(by))) for n, by in enumerate(breakdowns, start=1)
    )
    return SQL("CROSS JOIN LATERAL (VALUES {}) AS breakdown (number, {})").format(groups, listed(keys))


def _all_groups(keys: Sequence[Identifier]) -> Composed:
    return SQL("SELECT number, 1, {}, {} FROM whole ORDER BY number, rank").format(listed(keys), NAMES)


def _first_and_other(keys: Sequence[Identifier]) -> Composed:
    places = listed(Literal(place) for place in range(3, 3 + len(keys)))
    first = listed(SQL("CASE WHEN rank <= %s THEN {} END").format(key) for key in keys)
    return SQL("SELECT number, 1, {}, {} FROM whole GROUP BY 1, {} ORDER BY 1, min(rank)").format(first, SUMS, places)


def _single(query: UsageQuery, scans: Sequence[Scan]) -> Statement:
    """Add up any other query by bucket, its groups ranked over the whole range, with `top` the rest as Other."""
    shape, parameters = part_of(query, scans)
    if query.by:
        parameters += [*([] if is_narrow(shape) else heights_of(query, scans)), query.top or None]
    if query.top_within:
        return _nested_text(shape, query.rank), [*parameters, query.top_within]
    return _single_text(shape, query.rank), parameters


@lru_cache(maxsize=500)
def _single_text(shape: PartShape, rank: str) -> str:
    keys = key_names(shape.by)
    if not keys:
        return text(SQL("{} SELECT 1, bucket, {} FROM part GROUP BY 2 ORDER BY 2").format(part(shape), SUMS))
    # The first groups are found before all, by the little that ranks them, and then added up: there may be nearly as
    # many groups, or groups and buckets, as rows, and the sums of each would be made in vain.
    return text(
        SQL(
            """{part}{heights}, ranked AS (
                SELECT {keys}, rank FROM ROWS FROM (
                    unnest(ARRAY(SELECT ROW({keys}) FROM {of} GROUP BY {keys} {by_rank} LIMIT %s)) AS ({typed_keys})
                ) WITH ORDINALITY AS ranked ({keys}, rank)
            )
            SELECT 1, bucket, {ranked_keys}, {sums} FROM part LEFT JOIN ranked USING ({keys})
            GROUP BY bucket, {ranked_keys}, rank ORDER BY bucket, rank
            """
        ).format(
            part=part(shape, is_kept=is_narrow(shape)),
            heights=NOTHING if is_narrow(shape) else SQL(", {}").format(heights(shape, rank)),
            of=SQL("part") if is_narrow(shape) else SQL("heights"),
            keys=listed(keys),
            typed_keys=listed(SQL("{} text").format(key) for key in keys),
            ranked_keys=listed(SQL("ranked.{}").format(key) for key in keys),
            by_rank=by_rank(rank, keys),
            sums=SUMS,
        )
    )


@lru_cache(maxsize=500)
def _nested_text(shape: PartShape, rank: str) -> str:
    """Compose what adds up the first groups by bucket, each by its first subgroups and the rest of it, whose second key
    is NULL, as both are of Other."""
    group, subgroup = key_names(shape.by)
    ranking = [measure for measure in MEASURES if measure.name in {*RANKS[rank], "cost", "calls"}]
    return text(
        SQL(
            """{part}{heights}, pairs AS MATERIALIZED (
                SELECT {group}, {subgroup}, {ranking} FROM {of} GROUP BY {group}, {subgroup}
            ), first_groups AS (
                SELECT {group}, row_number() OVER ({by_group}) AS place FROM pairs GROUP BY {group} {by_group} LIMIT %s
            ), subgroups AS (
                SELECT {group}, {subgroup}, row_number() OVER (PARTITION BY {group} {by_subgroup}) AS place
                FROM pairs GROUP BY {group}, {subgroup}
            ), first_subgroups AS (
                SELECT * FROM subgroups WHERE place <= %s
            )
            SELECT 1, bucket, first_groups.{group}, first_subgroups.{subgroup}, {sums} FROM part
            LEFT JOIN first_groups USING ({group})
            LEFT JOIN first_subgroups ON first_subgroups.{group} = first_groups.{group}
                AND first_subgroups.{subgroup} = part.{subgroup}
            GROUP BY 2, 3, 4, first_groups.place, first_subgroups.place
            ORDER BY 2, first_groups.place, first_subgroups.place
            """
        ).format(
            part=part(shape, is_kept=is_narrow(shape)),
            heights=NOTHING if is_narrow(shape) else SQL(", {}").format(heights(shape, rank)),
            of=SQL("part") if is_narrow(shape) else SQL("heights"),
            group=group,
            subgroup=subgroup,
            ranking=listed(SQL("{} AS {}").format(sum_of_part(each), Identifier(each.name)) for each in ranking),
            by_group=by_rank(rank, [group]),
            by_subgroup=by_rank(rank, [subgroup]),
            sums=SUMS,
        )
    )


def first_rows(query: UsageQuery, scans: Iterable[Scan], after: tuple[str, ...] | None, limit: int) -> Statement:
    """Compose what gives the first rows of a query, by bucket and then by the bytes of the group's values; of the first
    bucket those after a group."""
    shape, parameters = part_of(query, scans)
    return _first_rows_text(shape, after is not None), [*parameters, *(after or ()), limit]


@lru_cache(maxsize=500)
def _first_rows_text(shape: PartShape, is_after: bool) -> str:
    keys = key_names(shape.by)
    in_bytes = [SQL('{} COLLATE "C"').format(key) for key in keys]
    beyond = SQL("WHERE bucket > 1 OR ({}) > ({})").format(listed(in_bytes), listed(SQL("%s") for _ in keys))
    return text(
        SQL("{part} SELECT {groups}, {sums} FROM part {beyond} GROUP BY {groups} ORDER BY {order} LIMIT %s").format(
            part=part(shape),
            groups=listed([SQL("bucket"), *keys]),
            sums=SUMS,
            beyond=beyond if is_after else NOTHING,
            order=listed([SQL("bucket"), *in_bytes]),
        )
    )


def first_keys(query: UsageQuery, scans: Iterable[Scan], limit: int) -> Statement:
    """Compose what gives the known groups of a query by one dimension, as it ranks them."""
    shape, parameters = part_of(query, scans)
    return _first_keys_text(shape, query.rank), [*parameters, limit]


@lru_cache(maxsize=500)
def _first_keys_text(shape: PartShape, rank: str) -> str:
    (key,) = key_names(shape.by)
    return text(
        SQL("{part} SELECT {key} FROM part WHERE {key} <> '' GROUP BY {key} {by_rank} LIMIT %s").format(
            part=part(shape), key=key, by_rank=by_rank(rank, [key])
        )
    )
