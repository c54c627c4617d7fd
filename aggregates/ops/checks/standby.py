"""What is wrong with the standby that READ_DATABASE_URL names; `check --database default` looks."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections
from django.db.models import Model

from aggregates.db import standby
from aggregates.db.reads import ReadOutcome
from aggregates.models import (
    ApiKey,
    ArrivalCount,
    AuditEntry,
    BreakdownChunk,
    DailyAggregate,
    DayNote,
    Discount,
    HourChunk,
    LatencyChunk,
    LogGuard,
    LogHole,
    Organization,
    PeriodBreakdown,
    PriceOverride,
    StaleDay,
    UsageDay,
    UsageLog,
    UsagePeriod,
    User,
)

WITHIN = 5  # seconds in which it should have replayed what the primary had written
# What pages, files and the API read there: whoever logs in there needs nothing else.
TABLES: tuple[type[Model], ...] = (
    *(
        Organization,
        UsageLog,
        LogGuard,
        LogHole,
        UsageDay,
        StaleDay,
        DailyAggregate,
        BreakdownChunk,
        UsagePeriod,
        PeriodBreakdown,
        LatencyChunk,
        HourChunk,
    ),
    *(PriceOverride, Discount, ApiKey, ArrivalCount, DayNote),
)
# Of these tables only some columns: of users their addresses, of the audit log what charts tell.
COLUMNS: dict[type[Model], tuple[str, ...]] = {
    User: ("id", "email"),
    AuditEntry: ("id", "organization_id", "event", "first", "last", "at", "after"),
}
HINTS = {
    ReadOutcome.DOWN: "See that it runs, and that user, password and address in READ_DATABASE_URL are right.",
    ReadOutcome.STRANGER: "READ_DATABASE_URL should name a hot standby of the server that DATABASE_URL names, and the "
    "same database.",
    ReadOutcome.BEHIND: "See in pg_stat_replication of the primary how far it is, and whether its replay is paused.",
}


def readable(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Find why the standby is not read; silent before the first migration, and where there is no standby."""
    if DEFAULT_DB_ALIAS not in (databases or ()) or not standby.is_there():
        return []
    if UsageLog._meta.db_table not in connection.introspection.table_names():
        return []
    outcome, words = standby.examine(WITHIN)
    if words:
        words = f"The standby {words}; reads come from the primary."
        return [Warning(words, hint=HINTS.get(outcome, ""), id="aggregates.W028")]
    return _forbidden()


def _forbidden() -> list[CheckMessage]:
    names = [model._meta.db_table for model in TABLES]
    parts = [(model._meta.db_table, column) for model, columns in COLUMNS.items() for column in columns]
    statement = (
        "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT has_table_privilege(name, 'SELECT') "
        "UNION SELECT name FROM unnest(%s::text[], %s::text[]) AS part (name, part) "
        "WHERE NOT has_column_privilege(name, part, 'SELECT') ORDER BY 1"
    )
    try:
        with connections[standby.ALIAS].cursor() as cursor:
            cursor.execute(statement, [names, *map(list, zip(*parts, strict=True))])
            forbidden = [name for (name,) in cursor.fetchall()]
    except Error:  # it went just now
        return []
    if not forbidden:
        return []
    words = f"On the standby, the user of READ_DATABASE_URL may not read {', '.join(forbidden)}."
    hint = "On the primary, grant it what docs/standby.md says. Until then reads come from the primary."
    return [Warning(words, hint=hint, id="aggregates.W029")]


STANDBY = (readable,)
