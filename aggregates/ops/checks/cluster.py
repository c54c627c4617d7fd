"""What is wrong with a cluster that tables are distributed in; `check --database default` looks."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import DEFAULT_DB_ALIAS, connection

from aggregates.models import UsageLog
from aggregates.ops import distribution

DISTRIBUTE = "Run manage.py distribute, which does what is missing."


def distributed(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Find what is not as `manage.py distribute` leaves it; silent before the first migration, and without Citus."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    node = distribution.examine()
    if not node.citus or UsageLog._meta.db_table not in connection.introspection.table_names():
        return []
    if node.problem:
        return [Warning(node.problem, id="aggregates.W030")]
    found: list[CheckMessage] = []
    if names := distribution.missing():
        words = f"In a cluster, and not distributed as the log is: {', '.join(names)}."
        found.append(Warning(words, hint=DISTRIBUTE, id="aggregates.W031"))
    if node.idle:
        words = f"The cluster does not use {', '.join(node.idle)}: these workers are not active."
        found.append(Warning(words, hint="SELECT citus_activate_node(its name, its port).", id="aggregates.W032"))
    return found


CLUSTER = (distributed,)
