"""The BRIN index on the log goes: no statement of the site read it, and every call that was recorded kept it.

Dropping it takes an instant, in which nobody may be reading or writing the log: we ask for that again and again for a
second at a time, so that nobody waits for long behind us.
"""

import time
from typing import Any

from django.db import OperationalError, migrations
from psycopg.errors import DeadlockDetected, LockNotAvailable

ATTEMPTS = 60


def drop(apps: Any, schema_editor: Any) -> None:
    """Drop the index of the log and of all its months; after ATTEMPTS in vain, the database's error."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with schema_editor.connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '1s'")
                cursor.execute("DROP INDEX IF EXISTS usage_log_brin")
            return
        except OperationalError as error:
            busy = isinstance(error.__cause__, (LockNotAvailable, DeadlockDetected))
            if not busy or attempt == ATTEMPTS:
                raise
            time.sleep(1)
        finally:
            with schema_editor.connection.cursor() as cursor:
                cursor.execute("SET lock_timeout TO DEFAULT")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0017_breakdown_chunks")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop, migrations.RunPython.noop)],
            state_operations=[migrations.RemoveIndex(model_name="usagelog", name="usage_log_brin")],
        ),
    ]
