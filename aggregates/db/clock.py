"""The database's clock: the one that says whether a day is over."""

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """Read the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        instant: datetime = cursor.fetchone()[0]
        return instant
