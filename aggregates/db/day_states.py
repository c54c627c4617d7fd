"""The state of recorded days in SQL: what may be read of their aggregates, for statements that plan or roll up.

It is said in one place; `UsageDay.objects` says the same for lists of days.
"""

from psycopg import sql

from aggregates.models import LogHole, StaleDay, UsageDay

HOLES = sql.SQL("SELECT since, until, born_at FROM {}").format(sql.Identifier(LogHole._meta.db_table))

# Conditions on a row `day` of UsageDay. `LOST` is for statements that have HOLES as a table expression `hole`.
KEPT = sql.SQL("day.kept_at IS NOT NULL")
MARKED = sql.SQL("""EXISTS (
    SELECT FROM {} AS mark WHERE mark.organization_id = day.organization_id AND mark.date = day.date
)""").format(sql.Identifier(StaleDay._meta.db_table))
UNROLLED = sql.SQL("(day.rolled_through IS NULL OR day.rolled_through < day.ends_at)")  # as the index of these has it
LOST = sql.SQL("""EXISTS (
    SELECT FROM hole
    WHERE hole.since < day.rolled_through AND hole.until > day.starts_at AND hole.born_at > day.rolled_at
)""")

# A row for each recorded day, to be used as a subquery. Its aggregates hold its calls from `starts_at` to before
# `readable_through`, or none of them where that is NULL; all others of its calls are in the log. So they are of a kept
# day, too: `is_kept` says that those up to there are in its aggregates alone. That a day has lost calls shows here
# before anybody has noted it.
DAY_STATES = sql.SQL("""
    WITH hole AS MATERIALIZED ({holes})
    SELECT organization_id, date, starts_at, ends_at, sealed_through, rolled_through, rolled_at, contents, is_kept,
           is_marked, CASE WHEN is_kept OR NOT is_marked THEN rolled_through END AS readable_through
    FROM (SELECT day.*, {kept} OR {lost} AS is_kept, {marked} AS is_marked FROM {days} AS day) AS day
""").format(holes=HOLES, kept=KEPT, lost=LOST, marked=MARKED, days=sql.Identifier(UsageDay._meta.db_table))
