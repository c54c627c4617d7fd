"""The state of recorded days in SQL: what may be read of their aggregates, for statements that plan or roll up.

It is said in one place; `UsageDay.objects` says the same for lists of days.
"""

from functools import lru_cache

from django.db import connection
from psycopg import sql

from aggregates.models import LogHole, StaleDay, UsageDay, UsageLog

Holes = tuple[list[str], list[str], list[str]]  # their starts, ends and births

HOLES = sql.SQL("SELECT since, until, born_at FROM {}").format(sql.Identifier(LogHole._meta.db_table))
# The same for statements that are given them: to read the view takes longer than all that a page asks for.
GIVEN_HOLES = sql.SQL(
    "SELECT * FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::timestamptz[]) AS given (since, until, born_at)"
)
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
UNROLLED = sql.SQL("(day.rolled_through IS NULL OR day.rolled_through < day.ends_at)")  # as the index of these has it
LOST = sql.SQL("""EXISTS (
    SELECT FROM hole
    WHERE hole.born_at > day.rolled_at AND hole.since < day.rolled_through AND hole.until > day.starts_at
)""")

# A row for each recorded day, to be used as a subquery. Its aggregates hold its calls from `starts_at` to before
# `readable_through`, or none of them where that is NULL; all others of its calls are in the log. So they are of a kept
# day, too: `is_kept` says that those up to there are in its aggregates alone. That a day has lost calls shows here
# before anybody has noted it.
_DAY_STATES = """
    WITH hole AS MATERIALIZED ({holes})
    SELECT organization_id, date, starts_at, ends_at, sealed_through, rolled_through, rolled_at, contents, is_kept,
           is_marked, CASE WHEN is_kept OR NOT is_marked THEN rolled_through END AS readable_through
    FROM (SELECT day.*, {kept} OR {lost} AS is_kept, {marked} AS is_marked FROM {days} AS day) AS day
"""


def _day_states(holes: sql.Composable) -> sql.Composed:
    days = sql.Identifier(UsageDay._meta.db_table)
    return sql.SQL(_DAY_STATES).format(holes=holes, kept=KEPT, lost=LOST, marked=MARKED, days=days)


DAY_STATES, DAY_STATES_GIVEN_HOLES = _day_states(HOLES), _day_states(GIVEN_HOLES)


@lru_cache(maxsize=4)  # partitions come and go by the month
def read_holes(partitions: str | None) -> Holes:
    """Read the holes of the log, to be given to a statement in the snapshot in which PARTITIONS were read.

    Instants are texts, since Python has none that is infinite.
    """
    statement = sql.SQL("SELECT since::text, until::text, born_at::text FROM ({}) AS hole").format(HOLES)
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string())
        rows = cursor.fetchall()
    since, until, born_at = ([row[place] for row in rows] for place in range(3))
    return since, until, born_at
