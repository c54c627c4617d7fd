"""What is wrong in the database or with its server; `manage.py migrate` and `check --database default` look.

Only warnings: an error would keep `migrate` from mending what it mends.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import DEFAULT_DB_ALIAS, connection
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.db.partitions import foreign_partitions
from aggregates.models import UsageLog
from aggregates.ops.schedules import PLANS

OLDEST_SERVER = 16
LOCKS = 256  # an import takes one for each day in its file
CLOCKS_APART = timedelta(minutes=1)
Check = Callable[..., Iterable[CheckMessage]]


def schedules(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Find schedules that are missing; silent before the first migration, which makes them."""
    if not concerns(databases) or Schedule._meta.db_table not in connection.introspection.table_names():
        return []
    rows = Counter(Schedule.objects.exclude(repeats=0).values_list("func", flat=True))
    found: list[CheckMessage] = []
    for plan in PLANS:
        if rows[plan.func] == 0:
            words = f"The task cluster has no schedule “{plan.name}”, so {plan.func} never runs."
            found.append(Warning(words, hint="manage.py migrate makes it.", id="aggregates.W006"))
        elif rows[plan.func] > 1:
            words = f"The task cluster has {rows[plan.func]} schedules that run {plan.func}."
            hint = f"Delete those that are not needed from the table {Schedule._meta.db_table}."
            found.append(Warning(words, hint=hint, id="aggregates.W007"))
    return found


def server(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    if not concerns(databases):
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, "
            "current_setting('max_locks_per_transaction')::int, current_setting('transaction_read_only') = 'on'"
        )
        version, locks, read_only = cursor.fetchone()
    found: list[CheckMessage] = []
    if version < OLDEST_SERVER:
        words = f"PostgreSQL {version} is older than {OLDEST_SERVER}, the oldest that this site is made for."
        found.append(Warning(words, id="aggregates.W008"))
    if locks < LOCKS:
        words = f"PostgreSQL: max_locks_per_transaction is {locks}."
        hint = f"Set it to {LOCKS} or more: an import takes a lock for each day in its file."
        found.append(Warning(words, hint=hint, id="aggregates.W009"))
    if read_only:
        words = "The database is read-only, so no call can be recorded and no day rolled up."
        found.append(Warning(words, hint="Is DATABASE_URL that of a standby?", id="aggregates.W010"))
    return found


def clocks(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Compare two clocks: the database's says which days are over, this machine's which range a page shows."""
    if not concerns(databases):
        return []
    apart = abs(clock.now() - datetime.now(UTC))
    if apart < CLOCKS_APART:
        return []
    words = f"The clocks of this machine and of the database are {apart.total_seconds():.0f} seconds apart."
    return [Warning(words, hint="Keep both by NTP.", id="aggregates.W011")]


def partitions(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Silent before the first migration, which makes the log."""
    if not concerns(databases) or UsageLog._meta.db_table not in connection.introspection.table_names():
        return []
    if not (names := foreign_partitions()):
        return []
    words = f"The log has partitions that this site did not make: {', '.join(names)}."
    hint = "Their calls are read, but may be recorded twice, and are never dropped. Move them to months of UTC."
    return [Warning(words, hint=hint, id="aggregates.W021")]


def concerns(databases: Iterable[str] | None) -> bool:
    return DEFAULT_DB_ALIAS in (databases or ())


DATABASE: tuple[Check, ...] = (schedules, server, clocks, partitions)
