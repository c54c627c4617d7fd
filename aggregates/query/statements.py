"""The SQL statements that answer queries, over the scans that their plans come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import sql

from aggregates.domain.dimensions import BY_NAME, LONG_TAIL
from aggregates.domain.measures import MEASURES, RANKS
from aggregates.query.planner import Plan
from aggregates.query.scans import SQL, Scan
from aggregates.query.usage_query import Bucket, UsageQuery

NAMES = ", ".join(measure.name for measure in MEASURES)
SUMS = ", ".join(f"sum({m.name}){'' if m.is_decimal else '::bigint'} AS {m.name}" for m in MEASURES)


def batches(plans: Mapping[UsageQuery, Plan]) -> Iterable[list[UsageQuery]]:
    """Those that one statement answers: breakdowns that differ in nothing but the dimension, and are read from the same
    days and periods."""
    groups = dict[object, list[UsageQuery]]()
    for query, plan in plans.items():
        alike = (replace(query, by=None), replace(plan, grain=None)) if _is_breakdown(query) else query
        groups.setdefault(alike, []).append(query)
    return groups.values()


def statement_for(queries: Sequence[UsageQuery], found: Sequence[Sequence[Scan]]) -> SQL:
    """One statement for queries that go together, over the scans of each. Its rows are the number of a query and that
    of its bucket, both from 1, the key of a group, and the sums: groups in the order in which the query ranks them."""
    return _breakdowns(queries, found) if _is_breakdown(queries[0]) else _single(queries[0], found[0])


def _is_breakdown(query: UsageQuery) -> bool:
    """By a dimension, over the whole range; unless only the first of a long tail are wanted: most sums would be made in
    vain."""
    return query.bucket == Bucket.TOTAL and bool(query.by) and not (query.top and query.by == LONG_TAIL)


def _breakdowns(queries: Sequence[UsageQuery], found: Sequence[Sequence[Scan]]) -> SQL:
    """For each query its groups added up and ranked, with `top` the rest as Other. The log is read once for all."""
    one = queries[0]  # they differ in their dimension alone
    columns = [BY_NAME[query.by].column for query in queries if query.by]
    parts = [
        scan.select(one, [str(number), column])
        for number, (column, of_query) in enumerate(zip(columns, found, strict=True), start=1)
        for scan in of_query
        if not scan.is_log
    ]
    for logged in (scan for scan in found[0] if scan.is_log):
        keys = ", ".join(f"({number}, {column})" for number, column in enumerate(columns, start=1))
        every = f"CROSS JOIN LATERAL (VALUES {keys}) AS every (number, key)"
        parts.append(logged.select(one, ["number", "key"], beside=every))
    shown = "rank <= %s" if one.top else "true"
    return (
        f"""WITH part (number, key, {NAMES}) AS ({" UNION ALL ".join(f"({statement})" for statement, _ in parts)}),
        whole AS (
            SELECT number, key, {SUMS}, row_number() OVER (PARTITION BY number {_by_rank(one)}) AS rank
            FROM part GROUP BY number, key
        )
        SELECT number, 1, CASE WHEN {shown} THEN key END, {SUMS} FROM whole GROUP BY 1, 3 ORDER BY 1, min(rank)
        """,
        [*(value for _, values in parts for value in values), *([one.top] if one.top else [])],
    )


def _single(query: UsageQuery, found: Iterable[Scan]) -> SQL:
    """Any other query: by bucket, with groups ranked over the whole range, and with `top` the rest as Other."""
    part, parameters = _part(query, found)
    if not query.by:
        return f"{part} SELECT 1, bucket, NULL, {SUMS} FROM part GROUP BY 2 ORDER BY 2", parameters
    # What is shown is found first, by the little that ranks it, and then added up: there may be nearly as many groups,
    # or groups and buckets, as rows, and the sums of each would be made in vain.
    return (
        f"""{part}, shown AS (
            SELECT key, rank FROM unnest(ARRAY(SELECT key FROM part GROUP BY key {_by_rank(query)} LIMIT %s))
            WITH ORDINALITY AS shown (key, rank)
        )
        SELECT 1, bucket, shown.key, {SUMS} FROM part LEFT JOIN shown USING (key)
        GROUP BY bucket, shown.key, rank ORDER BY bucket, rank
        """,
        [*parameters, query.top or None],
    )


def first_rows(query: UsageQuery, found: Iterable[Scan], after: str | None, limit: int) -> SQL:
    """The first rows of a query, by bucket and then by the bytes of the key; of the first bucket those after a key."""
    part, parameters = _part(query, found)
    beyond = sql.SQL("") if after is None else sql.SQL('WHERE bucket > 1 OR key COLLATE "C" > %s')
    statement = sql.SQL(
        """{part} SELECT bucket, key, {sums} FROM part {beyond}
        GROUP BY bucket, key ORDER BY bucket, key COLLATE "C" LIMIT %s"""
    ).format(part=sql.SQL(part), sums=sql.SQL(SUMS), beyond=beyond)
    return statement.as_string(), [*parameters, *([] if after is None else [after]), limit]


def first_keys(query: UsageQuery, found: Iterable[Scan], containing: str, limit: int) -> SQL:
    """The known groups whose names contain a text, as the query ranks them; capitals are the same as small letters."""
    part, parameters = _part(query, found)
    matching: sql.Composable = sql.SQL("WHERE key <> ''")
    if containing:
        matching += sql.SQL(" AND position(lower(%s) IN lower(key)) > 0")
    statement = sql.SQL("{part} SELECT key FROM part {matching} GROUP BY key {by_rank} LIMIT %s").format(
        part=sql.SQL(part), matching=matching, by_rank=sql.SQL(_by_rank(query))
    )
    return statement.as_string(), [*parameters, *([containing] if containing else []), limit]


def _part(query: UsageQuery, found: Iterable[Scan]) -> SQL:
    """Scans as the rows of `part`, by bucket and key. The log is read once, however often these are."""
    key = BY_NAME[query.by].column if query.by else "NULL::text"
    logged, aggregated = "", list[str]()
    of_log, of_aggregates = list[Any](), list[Any]()
    for scan in found:
        number, bounds = scan.bucket_number(query)
        statement, parameters = scan.select(query, [number, key], bounds)
        if scan.is_log:
            logged, of_log = f"logged (bucket, key, {NAMES}) AS MATERIALIZED ({statement}), ", parameters
        else:
            aggregated.append(f"({statement})")
            of_aggregates += parameters
    union = " UNION ALL ".join([*aggregated, *(["SELECT * FROM logged"] if logged else [])])
    return f"WITH {logged}part (bucket, key, {NAMES}) AS NOT MATERIALIZED ({union})", [*of_log, *of_aggregates]


def _by_rank(query: UsageQuery) -> str:
    height = " + ".join(f"sum({name})" for name in RANKS[query.rank])
    return f'ORDER BY {height} DESC, sum(cost) DESC, sum(calls) DESC, key COLLATE "C"'
