"""Migrations wait for whoever uses a table, in turns with everybody else."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, connections

from aggregates.management.commands.migrate import short_waits
from tests.patience import wait_until
from tests.processes import BASE

DATABASE = f"migrated_meanwhile_{os.getpid()}"
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def migration(*target: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks", "aggregates", *target],
        cwd=BASE,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": DATABASE},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def site() -> Iterator[dict[str, object]]:
    """Where a database is whose migrations have been applied."""
    facts = {
        name: value for name, value in connection.get_connection_params().items() if name in ("user", "host", "port")
    }
    migrated = str(connection.settings_dict["NAME"])
    connection.close()  # nobody may use what is copied
    with psycopg.connect(**facts, dbname="postgres", autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [migrated])
        copy = psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(copy.format(psycopg.sql.Identifier(DATABASE), psycopg.sql.Identifier(migrated)))
        try:
            yield {**facts, "dbname": DATABASE}
        finally:
            server.execute(psycopg.sql.SQL("DROP DATABASE {} (FORCE)").format(psycopg.sql.Identifier(DATABASE)))


def forget_what_comes_after(site: dict[str, str], name: str) -> None:
    """Let a migration be the last that was applied; what later ones made stays, and nothing here looks at it."""
    with psycopg.connect(**site) as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'aggregates' AND name > %s", [name])


def test_who_comes_behind_one_that_waits_is_let_through(site: dict[str, str]) -> None:
    forget_what_comes_after(site, "0026_arrival_counts")
    with psycopg.connect(**site) as reader:
        reader.execute("SELECT count(*) FROM aggregates_arrivalcount")
        with migration("0025") as started:  # drops that table, which somebody is still reading
            assert started.stderr
            assert started.stderr.readline().startswith("Others are using a table")
            with psycopg.connect(**site) as other:
                other.execute("SET statement_timeout = '60s'")
                other.execute("SELECT count(*) FROM aggregates_arrivalcount")
            assert started.poll() is None, "it has waited all the while"
            reader.commit()
            _, errors = started.communicate()
        assert started.returncode == 0, errors
    with psycopg.connect(**site) as after:
        assert after.execute("SELECT to_regclass('aggregates_arrivalcount')").fetchone() == (None,)


WAITS_FOR_LONGER_THAN_FOR_A_TABLE = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'
        AND wait_event = 'virtualxid' AND now() - query_start > '1.5s'
"""


def test_an_index_beside_writers_waits_for_who_reads_for_long(site: dict[str, str]) -> None:
    forget_what_comes_after(site, "0026_arrival_counts")
    with psycopg.connect(**site) as database:
        database.execute("DROP INDEX usage_log_by_units")
    with psycopg.connect(**site) as reader, psycopg.connect(**site, autocommit=True) as watch:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM aggregates_usagelog")
        with migration("0027") as started:
            wait_until(lambda: bool(watch.execute(WAITS_FOR_LONGER_THAN_FOR_A_TABLE).fetchall()), "it waits")
            reader.commit()
            _, errors = started.communicate()
    assert (started.returncode, errors) == (0, "")


@pytest.mark.parametrize("before", [None, "-c work_mem=5MB"])
def test_sessions_of_others_are_as_before(before: str | None) -> None:
    options = connections["default"].settings_dict["OPTIONS"]
    was = dict(options)
    if before:
        options["options"] = before
    connection.close()
    try:
        with short_waits("default"), connection.cursor() as cursor:
            assert cursor.execute("SELECT current_setting('lock_timeout')").fetchone() == ("1s",)
            cursor.execute("SET lock_timeout = '5s'; SET lock_timeout TO DEFAULT")
            assert cursor.execute("SELECT current_setting('lock_timeout')").fetchone() == ("1s",)
            if before:
                assert cursor.execute("SELECT current_setting('work_mem')").fetchone() == ("5MB",)
        assert options.get("options") == before
        with connection.cursor() as cursor:
            assert cursor.execute("SELECT current_setting('lock_timeout')").fetchone() == ("0",)
    finally:
        options.clear()
        options.update(was)
        connection.close()
