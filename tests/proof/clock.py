"""A clock in the database that runs fast, so that midnights and the settling of the open day happen while we watch.

The site asks PostgreSQL alone what time it is. Connections of the proof look for functions in the schema `fast` before
PostgreSQL's own, so the code under test is what it always is, and only its days are shorter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, connections

SEARCH_PATH = "-c search_path=public,fast,pg_catalog"  # public first: that is where tables are made
FUNCTIONS = {"clock_timestamp": "VOLATILE", "statement_timestamp": "STABLE", "now": "STABLE"}


@dataclass(frozen=True, slots=True)
class Clock:
    """Shows `start` at the moment `origin` of the true clock, and then a day every so many `seconds_a_day`."""

    start: datetime
    origin: datetime
    seconds_a_day: float

    def now(self) -> datetime:
        """As the database has it, but for the time that asking takes."""
        return self.start + (datetime.now(self.origin.tzinfo) - self.origin) * self.speed

    @property
    def speed(self) -> float:
        return timedelta(days=1).total_seconds() / self.seconds_a_day


@contextmanager
def fast_clock(start: datetime, seconds_a_day: float) -> Iterator[Clock]:
    """Connections that are opened within have the fast clock; those of other threads have to be closed by then."""
    options = connections.settings["default"].setdefault("OPTIONS", {})
    before = options.get("options")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.clock_timestamp()")
        clock = Clock(start, cursor.fetchone()[0], seconds_a_day)
        cursor.execute("DROP SCHEMA IF EXISTS fast CASCADE; CREATE SCHEMA fast")
        for name, volatility in FUNCTIONS.items():
            cursor.execute(
                f"CREATE FUNCTION fast.{name}() RETURNS timestamptz LANGUAGE sql {volatility} PARALLEL SAFE RETURN "
                f"'{clock.start.isoformat()}'::timestamptz "
                f"+ (pg_catalog.{name}() - '{clock.origin.isoformat()}'::timestamptz) * {clock.speed!r}::float8"
            )
    connection.close()
    options["options"] = SEARCH_PATH
    try:
        yield clock
    finally:
        connection.close()
        if before is None:
            del options["options"]
        else:
            options["options"] = before
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA fast CASCADE")
