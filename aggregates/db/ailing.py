"""What a database raises that cannot do what it is asked: gone, full, read-only, out of time."""

from django.db import Error, InterfaceError, InternalError, OperationalError
from psycopg import Error as DatabaseError

AILING = (OperationalError, InterfaceError, InternalError)
FULL, READ_ONLY = "53100", "25006"  # SQLSTATE


def state_of(error: Error) -> str:
    """Return an error's SQLSTATE; "" where it has none."""
    cause = error.__cause__
    return (cause.sqlstate or "") if isinstance(cause, DatabaseError) else ""


def is_full(error: BaseException) -> bool:
    """Say whether there was no room on the database's disk, or in a file that may not grow any more."""
    if not isinstance(error, Error):
        return False
    return state_of(error) == FULL or (isinstance(error, AILING) and "could not extend file" in str(error))
