"""Groups of the hours of a day: summed from the log, packed into HourChunks, read back from them, and compared."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from django.db import connection
from psycopg import sql

from aggregates.db.sql import SUMS_OF_COLUMNS, columns, listed, table, text
from aggregates.domain.days import Span
from aggregates.domain.dimensions import BY_NAME, HOUR_GRAINS, HourGrain
from aggregates.domain.measures import MEASURES
from aggregates.models import HourChunk, UsageLog
from aggregates.rollup.chunks import GROUPS, SUMS, array, unpacked

Ids = Collection[int]
DIMENSIONS = tuple(dict.fromkeys(name for grain in HOUR_GRAINS for name in grain.dimensions))
KEYS = columns(("hour", *(BY_NAME[name].column for name in DIMENSIONS)))
TABLES = {"chunks": table(HourChunk), "log": table(UsageLog), "summed": sql.Identifier("summed_hours")}
SUMMED_HOURS = text(
    sql.SQL(
        """
        CREATE TEMPORARY TABLE {summed} ON COMMIT DROP AS
        SELECT organization_id, {keys}, {sums} FROM (
            SELECT call.organization_id, {hour} AS hour, {columns}, {measures}
            FROM unnest(%(ids)s::bigint[], %(begins)s::timestamptz[], %(starts)s::timestamptz[],
                        %(ends)s::timestamptz[]) AS day (organization_id, begins, starts, ends)
            JOIN {log} AS call
              ON call.organization_id = day.organization_id AND timestamp >= starts AND timestamp < ends
            WHERE timestamp >= %(earliest)s AND timestamp < %(latest)s
        ) AS call GROUP BY organization_id, {keys}
        """
    ).format(
        **TABLES,
        keys=KEYS,
        sums=SUMS_OF_COLUMNS,
        hour=sql.SQL("div(extract(epoch FROM timestamp - begins), 3600)::smallint"),
        columns=columns(BY_NAME[name].column for name in DIMENSIONS),
        measures=listed(
            sql.SQL("{} AS {}").format(sql.SQL(measure.of_call), sql.Identifier(measure.column)) for measure in MEASURES
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A grain at which an organization's hours differ from its log, and in how many groups."""

    organization_id: int
    grain: str
    rows: int


def write(day: date, spans: Mapping[int, tuple[datetime, Span]]) -> None:
    """Sum the hours of these organizations' day from the log, each over a span and with the instant at which the day
    begins, and add them to what is there."""
    _sum(spans)
    with connection.cursor() as cursor:
        for grain in HOUR_GRAINS:
            cursor.execute(_insertion(grain), {"day": day})
    _forget()


def clear(day: date, organizations: Ids) -> None:
    """Delete the hours of a date."""
    with connection.cursor() as cursor:
        deletion = sql.SQL("DELETE FROM {chunks} WHERE date = %s AND organization_id = ANY(%s)").format(**TABLES)
        cursor.execute(text(deletion), [day, list(organizations)])


def verify(day: date, spans: Mapping[int, Span]) -> list[Difference]:
    """Compare the hours of the organizations' day with the log, each over its span, which begins with the day."""
    if not spans:
        return []
    _sum({pk: (span.start, span) for pk, span in spans.items()})
    found = [Difference(pk, grain.name, rows) for grain in HOUR_GRAINS for pk, rows in _differences(day, spans, grain)]
    _forget()
    return found


def _sum(spans: Mapping[int, tuple[datetime, Span]]) -> None:
    """Sum the organizations' calls in these spans, each with the instant at which its day begins, by hour."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")  # as days are summed
        cursor.execute(
            SUMMED_HOURS,
            {
                "ids": list(spans),
                "begins": [begins for begins, _ in spans.values()],
                "starts": [span.start for _, span in spans.values()],
                "ends": [span.end for _, span in spans.values()],
                "earliest": min(span.start for _, span in spans.values()),
                "latest": max(span.end for _, span in spans.values()),
            },
        )
        cursor.execute("SET LOCAL enable_sort TO DEFAULT")


def _forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute(text(sql.SQL("DROP TABLE {summed}").format(**TABLES)))


def _groups(grain: HourGrain) -> sql.Composed:
    """SELECT of a grain's groups from what was summed."""
    keys = columns(("organization_id", *grain.columns))
    return sql.SQL("SELECT {keys}, {sums} FROM {summed} GROUP BY {keys}").format(
        **TABLES, keys=keys, sums=SUMS_OF_COLUMNS
    )


def _stored(grain: HourGrain, source: sql.Composable) -> sql.Composed:
    """SELECT of a grain's groups from `source`: a table of chunks, with conditions."""
    return unpacked(("organization_id",), (*grain.columns, *SUMS), source)


@cache
def _insertion(grain: HourGrain) -> str:
    """INSERT of the day's groups, together with those that are there, whose chunks it takes away.

    They are sorted by dimensions and then by hour: so values repeat beside each other, which packs well.
    """
    names = (*grain.columns, *SUMS)
    keys = columns(("organization_id", *grain.columns))
    return text(
        sql.SQL(
            """
            WITH gone AS (
                DELETE FROM {chunks} WHERE date = %(day)s AND grain = {grain}
                AND organization_id IN (SELECT organization_id FROM {summed}) RETURNING *
            ), parts AS (({stored}) UNION ALL ({new}))
            INSERT INTO {chunks} (organization_id, date, grain, part, {names})
            SELECT organization_id, %(day)s::date, {grain}, part, {arrays} FROM (
                SELECT *, (row_number() OVER (PARTITION BY organization_id ORDER BY {of_grain}) - 1) / {each} AS part
                FROM (SELECT {keys}, {sums} FROM parts GROUP BY {keys}) AS summed
            ) AS numbered GROUP BY organization_id, part ORDER BY organization_id, part
            """
        ).format(
            **TABLES,
            grain=sql.Literal(grain.name),
            stored=_stored(grain, sql.SQL("gone")),
            new=_groups(grain),
            names=columns(names),
            arrays=listed(map(array, names)),
            of_grain=columns(grain.columns),
            each=sql.Literal(GROUPS),
            keys=keys,
            sums=SUMS_OF_COLUMNS,
        )
    )


def _differences(day: date, organizations: Ids, grain: HourGrain) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_comparison(grain), {"day": day, "organizations": list(organizations)})
        differing: list[tuple[int, int]] = cursor.fetchall()
        return differing


@cache
def _comparison(grain: HourGrain) -> str:
    stored = _stored(
        grain,
        sql.SQL(
            "{chunks} WHERE organization_id = ANY(%(organizations)s) AND date = %(day)s AND grain = {grain}"
        ).format(**TABLES, grain=sql.Literal(grain.name)),
    )
    return text(
        sql.SQL(
            """
            SELECT organization_id, count(*) FROM (
                (({stored}) EXCEPT ALL ({summed})) UNION ALL (({summed}) EXCEPT ALL ({stored}))
            ) AS difference GROUP BY 1 ORDER BY 1
            """
        ).format(stored=stored, summed=_groups(grain))
    )
