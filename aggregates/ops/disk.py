"""Whether the database can be written to: its disk may be full, and it may be a standby."""

import os
import time
from contextlib import suppress
from pathlib import Path

from django.db import Error, OperationalError, connection, transaction
from psycopg import sql

from aggregates.db.ailing import READ_ONLY, is_full, state_of
from aggregates.db.limits import limits_in_sql, timed_out
from aggregates.ops.request_metrics import FOLDER

# An empty table, of this connection alone: its first row takes another block of the disk each time, as those of other
# tables do once they are full. It is made once for each connection, which costs rows of the catalogue.
TABLE = sql.Identifier("usagesite_disk_probe")
MAKE = sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} (number int) ON COMMIT DELETE ROWS").format(TABLE)
WRITE = sql.SQL("INSERT INTO pg_temp.{} VALUES (1)").format(TABLE)
REFUSED = "Nothing can be written to the database"
RECENT = 60  # seconds for which a disk counts as full that was


def why_unwritable(seconds: float) -> str:
    """Say why nothing can be written to the database; "" if it can. Raises what reading would, as TimedOut."""
    try:
        with timed_out(seconds), transaction.atomic(), connection.cursor() as cursor:
            statements = (limits_in_sql(seconds, local=True), MAKE, WRITE)
            cursor.execute(sql.SQL("; ").join(statements).as_string(cursor.connection))
    except Error as error:
        if is_full(error):
            return f"{REFUSED}: its disk is full."
        if state_of(error) == READ_ONLY:
            return f"{REFUSED}: it only reads, as a standby does."
        if isinstance(error, OperationalError):
            raise
        return f"{REFUSED}: {str(error).partition(chr(10))[0]}."
    return "The database's disk was full within the last minute." if was_full() else ""


def note_full() -> None:
    """Remember for a while that there was no room for something: what probes write may be less."""
    if FOLDER in os.environ:
        with suppress(OSError):
            _sign().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sign().touch()


def was_full() -> bool:
    """Say whether a process of this machine found the disk full just now."""
    try:
        return FOLDER in os.environ and time.time() - _sign().stat().st_mtime < RECENT
    except OSError:
        return False


def _sign() -> Path:
    return Path(os.environ[FOLDER], "disk-full")
