"""The sum over the log, in plain SQL: written without the app's queries, measures, days and grains. The log is here
with the calls that were dropped by hand after they had been rolled up: kept days still count them.

Days are cut by PostgreSQL's own time zones, and groups are ranked here.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from aggregates.query.usage_query import UsageQuery

log_table = "aggregates_usagelog"  # a scene puts its view of the log with what was dropped by hand in its place

SUMS = """
    count(*) FILTER (WHERE kind = 'call'), count(*) FILTER (WHERE kind = 'call' AND status = 'error'),
    count(*) FILTER (WHERE kind = 'call' AND cost IS NULL), coalesce(sum(cost), 0),
    sum(input_tokens), sum(cached_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
    sum(cache_hit_rate), count(*) FILTER (WHERE kind = 'charge'),
    coalesce(sum(cost) FILTER (WHERE kind = 'charge'), 0)
"""
MEASURES = 12  # in SUMS
COLUMNS = {
    "user": "user_id",
    "subject": "subject_id",
    "tier": "service_tier",
}  # the other dimensions are named as their columns
BUCKETS = {
    "total": "%(start)s::timestamptz",
    "day": "greatest(date_trunc('day', timestamp, %(zone)s), %(start)s)",
    "week": "greatest(date_trunc('week', timestamp, %(zone)s), %(start)s)",
    "month": "greatest(date_trunc('month', timestamp, %(zone)s), %(start)s)",
    "hour": "date_bin('1 hour', timestamp, %(start)s)",
}
HEIGHTS = {"cost": (3,), "calls": (0,), "tokens": (4, 7), "errors": (1,), "input_tokens": (4,)}  # places in SUMS
Place = tuple[datetime, tuple[str, ...] | None]
Latencies = list[tuple[int, int]]
Table = dict[tuple[Any, ...], tuple[Decimal, ...]]


def sums_of(query: UsageQuery) -> Table:
    """Every measure by bucket and group: a tuple of values, None for Other."""
    statement, parameters = _statement(query)
    table = _table(statement.format(SUMS), parameters)
    table = {(start, tuple(group)): sums for (start, *group), sums in table.items()}
    return _with_other(table, query.top, HEIGHTS[query.rank]) if query.by and query.top else table


def latencies_of(query: UsageQuery, groups: Collection[Any]) -> dict[Place, Latencies]:
    """How long calls took that tell that and did not fail, by bucket and group, each with its output tokens, shortest
    first; those of other groups as Other."""
    statement, parameters = _statement(query)
    each = "array_agg(ARRAY[latency_ms, output_tokens]) FILTER (WHERE latency_ms IS NOT NULL AND status = 'ok')"
    found: dict[Place, Latencies] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(statement.format(each), parameters)
        for start, *group, calls in cursor.fetchall():
            found[start, tuple(group) if tuple(group) in groups else None] += [
                (ms, tokens) for ms, tokens in calls or ()
            ]
    return {place: sorted(calls) for place, calls in found.items()}


def _statement(query: UsageQuery) -> tuple[str, dict[str, Any]]:
    """What selects something by bucket and group, which is to be put in."""
    keys = [COLUMNS.get(name, name) for name in query.by]
    values, filters = {}, []
    for word, pairs in (("IN", query.filters), ("NOT IN", query.excluded)):
        for name in {name for name, _ in pairs}:
            listed = []
            for value in (value for given, value in pairs if given == name):
                listed.append(f"%(value{len(values)})s")
                values[f"value{len(values)}"] = value
            filters.append(f"AND {COLUMNS.get(name, name)} {word} ({', '.join(listed)})")
    statement = (
        f"SELECT {', '.join([BUCKETS[query.bucket], *keys])}, {{}} FROM {log_table} "
        f"WHERE organization_id = %(organization)s AND timestamp >= %(start)s AND timestamp < %(end)s "
        f"{' '.join(filters)} GROUP BY {', '.join(['1', *keys])}"
    )
    parameters = {
        **values,
        "organization": query.organization.pk,
        "zone": query.organization.time_zone,
        "start": query.start,
        "end": query.end,
    }
    return statement, parameters


def days_of(organization: int, zone: str) -> Table:
    """Every measure by local date."""
    return _table(
        f"SELECT (timestamp AT TIME ZONE %(zone)s)::date, {SUMS} FROM {log_table} "
        f"WHERE organization_id = %(organization)s GROUP BY 1",
        {"zone": zone, "organization": organization},
    )


def platform(first: date, last: date) -> tuple[Table, Table]:
    """Every measure by date, and by organization, each in its own time zone."""
    call = f"""
        SELECT log.*, (timestamp AT TIME ZONE time_zone)::date AS day FROM {log_table} AS log
        JOIN aggregates_organization AS organization ON organization.id = organization_id
    """
    both = ("day", "organization_id")
    by_date, by_organization = (
        _table(
            f"SELECT {column}, {SUMS} FROM ({call}) AS call WHERE day BETWEEN %(first)s AND %(last)s GROUP BY 1",
            {"first": first, "last": last},
        )
        for column in both
    )
    return by_date, by_organization


def acknowledged() -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT organization_id, request_id FROM {log_table}")
        return cursor.fetchall()


def left(request_ids: list[str]) -> set[str]:
    """Those of these calls that are there."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT request_id FROM {log_table} WHERE request_id = ANY(%s)", [request_ids])
        return {request_id for (request_id,) in cursor.fetchall()}


def _table(statement: str, parameters: dict[str, Any]) -> Table:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    return {tuple(row[:-MEASURES]): tuple(map(Decimal, row[-MEASURES:])) for row in rows}


def _with_other(table: Table, top: int, heights: tuple[int, ...]) -> Table:
    """The groups that are highest (then by cost, then most calls, then by their values), and all others together."""
    groups: dict[tuple[str, ...], tuple[Decimal, ...]] = {}
    for (_, group), sums in table.items():
        groups[group] = _added(groups.get(group), sums)

    def rank(group: tuple[str, ...]) -> tuple[Any, ...]:
        sums = groups[group]
        return -sum(sums[n] for n in heights), -sums[3], -sums[0], [value.encode() for value in group]

    shown = set(sorted(groups, key=rank)[:top])
    merged: dict[tuple[datetime, tuple[str, ...] | None], Any] = defaultdict(lambda: None)
    for (start, group), sums in table.items():
        place = (start, group if group in shown else None)
        merged[place] = _added(merged[place], sums)
    return dict(merged)


def _added(some: tuple[Decimal, ...] | None, more: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    return more if some is None else tuple(a + b for a, b in zip(some, more, strict=True))
