"""The sums of hours of recent days: made with the day's own, in the same transaction, and never without them.

So they are the sums over the log up to where the day is rolled, wherever the day's are. `UsageDay.hours_at` says which
days have them: those that were rolled up last when their hours were summed. Whoever rolls a day up and knows nothing of
hours thereby takes them out of use. Other days are read from the log by hour.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Protocol

from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from aggregates.db import clock
from aggregates.db.locks import Lock, day_number, take
from aggregates.db.sql import SUMS_OF_COLUMNS, columns, listed, table, text
from aggregates.domain.days import Span
from aggregates.domain.dimensions import BY_NAME, HOUR_GRAINS, HourGrain
from aggregates.domain.measures import MEASURES
from aggregates.models import DailyAggregate, HourChunk, Organization, UsageDay, UsageLog

Ids = Collection[int]
GROUPS = 250  # at most, in a chunk
FEW = 28  # a day has hours from this part of LIVE_CALLS on: a month of smaller days is as soon read from the log
SUMS = tuple(measure.column for measure in MEASURES)
DIMENSIONS = tuple(dict.fromkeys(name for grain in HOUR_GRAINS for name in grain.dimensions))
KEYS = columns(("hour", *(BY_NAME[name].column for name in DIMENSIONS)))
TABLES = {
    "chunks": table(HourChunk),
    "days": table(UsageDay),
    "log": table(UsageLog),
    "totals": table(DailyAggregate),
    "organizations": table(Organization),
    "summed": sql.Identifier("summed_hours"),
}
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


class Work(Protocol):
    """What is to be summed of an organization's day: all of it `afresh`, or only `span`; as `protocol` has it."""

    @property
    def span(self) -> Span: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def afresh(self) -> bool: ...
    @property
    def whole(self) -> bool: ...
    @property
    def held(self) -> int: ...
    @property
    def has_hours(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A grain at which an organization's hours differ from its log, and in how many groups."""

    organization_id: int
    grain: str
    rows: int


def first_day() -> date:
    """Give the first day that has hours."""
    return clock.now().date() - timedelta(weeks=settings.HOURLY_WEEKS)


def few() -> int:
    """Give how many calls and charges a day has, once it is over, that has hours."""
    return settings.LIVE_CALLS // FEW


def choose(day: date, works: Mapping[int, Work], summed: Mapping[int, int]) -> list[int]:
    """List the organizations whose day is to have hours after this, given how many rows were summed of each: of recent
    days those that are open, and those that have many calls. What is added to needs to have them."""
    least = few()
    chosen = [
        pk
        for pk, work in works.items()
        if (work.afresh or work.has_hours)
        and (not work.whole or summed.get(pk, 0) + (0 if work.afresh else work.held) >= least)
    ]
    return chosen if chosen and day >= first_day() else []


def replace(day: date, works: Mapping[int, Work], chosen: Ids, summed: Mapping[int, int]) -> None:
    """Sum the hours of those of the works that are chosen, from the log, as far as there are rows to sum; the others
    have none any more."""
    if anew := [pk for pk, work in works.items() if work.afresh or pk not in chosen]:
        clear(day, anew)
    filled = [pk for pk in chosen if summed.get(pk)]
    if not filled:
        return
    with connection.cursor() as cursor:
        _sum({pk: (works[pk].starts_at, works[pk].span) for pk in filled})
        for grain in HOUR_GRAINS:
            cursor.execute(_insertion(grain), {"day": day})
        _forget()


def note(day: date, chosen: Ids) -> None:
    """Note which organizations' days have hours, now that they are rolled up; of no other they count any longer."""
    if not chosen:
        return
    update = sql.SQL("UPDATE {days} SET hours_at = rolled_at WHERE date = %s AND organization_id = ANY(%s)")
    with connection.cursor() as cursor:
        cursor.execute(text(update.format(**TABLES)), [day, list(chosen)])


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


def _stored(grain: HourGrain, chunks: sql.Composable) -> sql.Composed:
    """SELECT of a grain's groups from `chunks`: a table of them, with conditions."""
    names = (*grain.columns, *SUMS)
    return sql.SQL(
        "SELECT organization_id, {filled} FROM (SELECT organization_id, {unnested} FROM {chunks}) AS group_"
    ).format(
        filled=listed(
            sql.SQL("COALESCE({0}, {1}) AS {0}").format(sql.Identifier(name), _nothing(name)) for name in names
        ),
        unnested=listed(sql.SQL("unnest({0}) AS {0}").format(sql.Identifier(name)) for name in names),
        chunks=chunks,
    )


def _nothing(column: str) -> sql.SQL:
    return sql.SQL("0") if column in SUMS or column == "hour" else sql.SQL("''")


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
            arrays=listed(map(_array, names)),
            of_grain=columns(grain.columns),
            each=sql.Literal(GROUPS),
            keys=keys,
            sums=SUMS_OF_COLUMNS,
        )
    )


def _array(column: str) -> sql.Composable:
    """An array of the column; NULL where it would hold nothing, if it may."""
    array = sql.SQL("array_agg({})").format(sql.Identifier(column))
    if column in ("hour", "total_calls"):
        return array
    return sql.SQL("CASE WHEN bool_or({} <> {}) THEN {} END").format(sql.Identifier(column), _nothing(column), array)


def verify(day: date, spans: Mapping[int, Span]) -> list[Difference]:
    """Compare the hours of the organizations' day with the log, each over its span, which begins with the day."""
    if not spans:
        return []
    _sum({pk: (span.start, span) for pk, span in spans.items()})
    found = [Difference(pk, grain.name, rows) for grain in HOUR_GRAINS for pk, rows in _differences(day, spans, grain)]
    _forget()
    return found


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


def clear(day: date, organizations: Ids) -> None:
    """Delete the hours of a date."""
    with connection.cursor() as cursor:
        deletion = sql.SQL("DELETE FROM {chunks} WHERE date = %s AND organization_id = ANY(%s)").format(**TABLES)
        cursor.execute(text(deletion), [day, list(organizations)])


def forget(day: date, organizations: Ids | None = None) -> None:
    """Delete the hours of a day, of these organizations or of all, which then are read from the log. To be called by
    who holds the day apart from its rollers."""
    whose = {"day": day, "organizations": None if organizations is None else list(organizations)}
    condition = sql.SQL(
        "date = %(day)s AND (%(organizations)s::bigint[] IS NULL OR organization_id = ANY(%(organizations)s))"
    )
    with connection.cursor() as cursor:
        update = sql.SQL("UPDATE {days} SET hours_at = NULL WHERE hours_at IS NOT NULL AND {condition}")
        cursor.execute(text(update.format(**TABLES, condition=condition)), whose)
        cursor.execute(
            text(sql.SQL("DELETE FROM {chunks} WHERE {condition}").format(**TABLES, condition=condition)), whose
        )


def dates_with(organization: Organization, user: str) -> list[date]:
    """List the dates whose hours hold calls of a user."""
    mine = HourChunk.objects.filter(organization=organization, user_id__contains=[user])
    return list(mine.order_by("date").values_list("date", flat=True).distinct())


def prune() -> int:
    """Delete the hours of days that are no longer recent; how many dates had any."""
    old = HourChunk.objects.filter(date__lt=first_day()).order_by("date").values_list("date", flat=True).distinct()
    for day in (dates := list(old)):
        with transaction.atomic():
            take(Lock.ROLL, day_number(day))
            forget(day)
    return len(dates)


# Days that are recent, over, and have many calls, and have no hours: newest first.
LACKING = text(
    sql.SQL(
        """
        SELECT date, array_agg(organization_id) FROM {days} AS day JOIN {totals} USING (organization_id, date)
        WHERE date >= (clock_timestamp() AT TIME ZONE 'UTC')::date - 7 * %s
          AND hours_at IS DISTINCT FROM rolled_at AND kept_at IS NULL AND rolled_through = ends_at
          AND total_calls + total_charges >= %s
          AND organization_id NOT IN (SELECT id FROM {organizations} WHERE removal_asked_at IS NOT NULL)
        GROUP BY date ORDER BY date DESC LIMIT %s
        """
    ).format(**TABLES)
)


def lacking(most: int) -> list[tuple[date, list[int]]]:
    """List so many dates at most, newest first, of days without hours that are to have them, with whose."""
    with connection.cursor() as cursor:
        cursor.execute(LACKING, [settings.HOURLY_WEEKS, few(), most])
        found: list[tuple[date, list[int]]] = cursor.fetchall()
        return found
