"""The state of recorded days in SQL: what may be read of their aggregates, for statements that plan or roll up.

It is said in one place; `UsageDay.objects` says the same for lists of days.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from django.db import connection
from psycopg import sql

from aggregates.models import LogHole, StaleDay, UsageDay, UsageLog

Hole = tuple[datetime | None, datetime | None, datetime | None]  # its start, end and birth; None is infinite
ANY_ZONE = timedelta(days=2)  # by how much a day's name may differ from the date of its instants in UTC

HOLES = sql.SQL("SELECT since, until, born_at FROM {}").format(sql.Identifier(LogHole._meta.db_table))
# The same for statements that are given them: to read the view takes longer than all that a page asks for.
GIVEN_HOLES = sql.SQL("""
    SELECT COALESCE(since, '-infinity') AS since, COALESCE(until, 'infinity') AS until,
           COALESCE(born_at, 'infinity') AS born_at
    FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::timestamptz[]) AS given (since, until, born_at)
""")
# What HOLES depend on, in one value that is read in no time: the log's partitions, each with the transaction that
# attached it, as bounds change with that alone; and their births.
PARTITIONS = sql.SQL("""
    SELECT string_agg(concat_ws(' ', inhrelid, inherits.xmin, (
        SELECT description FROM pg_description
        WHERE objoid = inhrelid AND classoid = 'pg_class'::regclass AND objsubid = 0
    )), ', ') FROM pg_inherits AS inherits WHERE inhparent = {}::regclass
""").format(sql.Literal(UsageLog._meta.db_table))

# Conditions on a row `day` of UsageDay. `LOST` is for statements that have HOLES as a table expression `hole`.
KEPT = sql.SQL("day.kept_at IS NOT NULL")
MARKED = sql.SQL("""EXISTS (
    SELECT FROM {} AS mark WHERE mark.organization_id = day.organization_id AND mark.date = day.date
)""").format(sql.Identifier(StaleDay._meta.db_table))
# The same of one organization, which is given: a cluster then knows that one worker has the answer.
MARKED_OF_ONE = sql.SQL(
    "EXISTS (SELECT FROM {} AS mark WHERE mark.organization_id = %s AND mark.date = day.date)"
).format(sql.Identifier(StaleDay._meta.db_table))
UNROLLED = sql.SQL("(day.rolled_through IS NULL OR day.rolled_through < day.ends_at)")  # as the index of these has it
LOST, NOT_LOST = (
    sql.SQL("""EXISTS (
    SELECT FROM hole
    WHERE hole.born_at > day.rolled_at AND hole.since < day.rolled_through AND hole.until > day.starts_at
)"""),
    sql.SQL("false"),
)

# A row for each recorded day, to be used as a subquery. Its aggregates hold its calls from `starts_at` to before
# `readable_through`, or none of them where that is NULL; all others of its calls are in the log. So they are of a kept
# day, too: `is_kept` says that those up to there are in its aggregates alone. That a day has lost calls shows here
# before anybody has noted it.
_DAY_STATES = """
    {holes}
    SELECT organization_id, date, starts_at, ends_at, sealed_through, rolled_through, rolled_at, contents, is_kept,
           is_marked, COALESCE(hours_at = rolled_at, false) AS has_hours,
           CASE WHEN is_kept OR NOT is_marked THEN rolled_through END AS readable_through
    FROM (SELECT day.*, {kept} OR {lost} AS is_kept, {marked} AS is_marked FROM {days} AS day) AS day
"""


def _day_states(holes: sql.Composable | None, marked: sql.Composable) -> sql.Composed:
    """Compose the states of days: with such holes of the log; or where there are none."""
    return sql.SQL(_DAY_STATES).format(
        holes=sql.SQL("WITH hole AS MATERIALIZED ({})").format(holes) if holes else sql.SQL(""),
        kept=KEPT,
        lost=LOST if holes else NOT_LOST,
        marked=marked,
        days=sql.Identifier(UsageDay._meta.db_table),
    )


DAY_STATES = _day_states(HOLES, MARKED)
# Of the days of one organization, which is a parameter, after those of the holes.
DAY_STATES_GIVEN_HOLES, DAY_STATES_WITHOUT_HOLES = (_day_states(holes, MARKED_OF_ONE) for holes in (GIVEN_HOLES, None))


def holes_around(first: date, last: date, partitions: str | None) -> list[Hole]:
    """Give the holes of the log that days from first to last may have a part in, in whichever zone they are cut: in
    the snapshot in which PARTITIONS were read."""
    start = datetime.combine(first - ANY_ZONE, time.min, UTC)
    end = datetime.combine(last + ANY_ZONE, time.max, UTC)
    return [
        (since, until, born_at)
        for since, until, born_at in _read_holes(partitions)
        if (since is None or since < end) and (until is None or until > start)
    ]


def current_holes() -> list[Hole]:
    """Give the holes of the log as it is now, to whoever sees what others commit; who holds the log keeps them so."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT ({})").format(PARTITIONS).as_string())
        (partitions,) = cursor.fetchone()
    return holes_of(partitions)


def holes_of(partitions: str | None) -> list[Hole]:
    """Give the holes of the log as it is now, to whoever has just read its PARTITIONS, as `current_holes` does."""
    return _read_current_holes(partitions)


def _holes() -> list[Hole]:
    """Read the holes of the log: as long as its PARTITIONS are the same, they are."""
    statement = sql.SQL(
        "SELECT NULLIF(since, '-infinity'), NULLIF(until, 'infinity'), NULLIF(born_at, 'infinity') FROM ({}) AS hole"
    ).format(HOLES)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string())
        holes: list[Hole] = cursor.fetchall()
    return holes


@lru_cache(maxsize=4)  # partitions come and go by the month
def _read_holes(partitions: str | None) -> list[Hole]:
    """Read them in the snapshot in which these PARTITIONS were read."""
    return _holes()


@lru_cache(maxsize=4)
def _read_current_holes(partitions: str | None) -> list[Hole]:
    """Read them a statement later, when a month may have come: so these are not kept for snapshots."""
    return _holes()
