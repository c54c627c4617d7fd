"""The databases that the bench measures: one for each number of calls, and processes that work on them."""

import os
import subprocess
import sys
from pathlib import Path

from django.core.management import call_command
from django.db import connection

BASE = Path(__file__).parents[2]


def make(name: str) -> None:
    """Make a database with this site's tables, and work in it from now on."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    use(name)
    call_command("migrate", verbosity=0)


def use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def make_plain(name: str) -> None:
    """Copy a table of ours, without its rows: plain SQL keeps the same indexes, checks and references."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE plain_{name} (LIKE aggregates_{name} INCLUDING ALL)")
        cursor.execute(
            f"ALTER TABLE plain_{name} ADD FOREIGN KEY (organization_id) "
            "REFERENCES aggregates_organization DEFERRABLE INITIALLY DEFERRED"
        )
        if name == "dailybreakdown":  # a view of ours; plain SQL has a table of rows with one index
            cursor.execute("ALTER TABLE plain_dailybreakdown DROP COLUMN id, DROP COLUMN part")
            cursor.execute(
                "CREATE UNIQUE INDEX ON plain_dailybreakdown "
                "(organization_id, grain, date, operation, provider, model, user_id, subject_id, project)"
            )
        if name == "usagelog":  # of which each partition has an index of its own
            cursor.execute("CREATE UNIQUE INDEX ON plain_usagelog (organization_id, request_id)")


def size() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        (text,) = cursor.fetchone()
    return str(text)


def peak_memory(*command: str) -> float:
    """Run manage.py with these arguments in a process of its own; the MB of memory that it had at its peak."""
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.peak", *command],
        cwd=BASE,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1024
