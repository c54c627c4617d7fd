"""A database that takes nothing more says so in words, and nothing is half-written."""

import base64
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization, UsageDay, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.faults.conftest import FILE_LIMIT, OwnSite
from tests.faults.judge import judge
from tests.patience import PATIENCE
from tests.processes import start
from tests.usagesite.conftest import copy

CALLS = 1200  # so large that they fit the log, but not their breakdowns
LONG_TEXTS = ("operation", "provider", "model", "user_id", "subject_id", "project")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def read_only(transactional_db: None) -> Iterator[None]:
    """For those who connect from now on: as a standby is, or a server whose operator has stopped writing."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield
    execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


@pytest.fixture
def recorded(transactional_db: None, acme: Organization, call: Callable[..., Call]) -> Organization:
    record(acme, [call("2025-03-01T10:00Z", cost="0.1")])
    return acme


def run(*arguments: str) -> tuple[int, str]:
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, complained = process.communicate(timeout=PATIENCE)
    return process.returncode, complained


def test_a_read_only_database(recorded: Organization, read_only: None, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("timestamp,model\n2025-03-01T11:00Z,gpt-5\n")
    for arguments in (("import_usage", str(file), "--organization=acme"), ("aggregate_day", "2025-03-01")):
        status, complained = run(*arguments)
        assert status == 1
        assert complained.startswith("CommandError: The database failed: cannot execute ")
        assert " in a read-only transaction" in complained
        assert complained.count("\n") == 1
    report = ("usage_report", "--organization=acme", "--from=2025-02-01", "--to=2025-03-31")
    assert run(*report) == (0, "")  # those who only read get on
    assert UsageLog.objects.count() == 1
    assert not DailyAggregate.objects.exists()
    assert UsageDay.objects.get().rolled_through is None
    roll_up()
    assert judge() == []


@pytest.fixture
def small_disk(site_of_acme: Path, tmp_path: Path) -> Iterator[OwnSite]:
    """No file of this server may grow beyond a limit.

    To PostgreSQL that is what a full disk is: a table cannot be given another block, which ends the transaction. A
    limit needs no file system of its own, so nobody has to be root.
    """
    copy(site_of_acme, tmp_path / "data")
    made = OwnSite(tmp_path / "data", largest_file=FILE_LIMIT)
    made.keep_small_journal()
    made.run("manage.py", "migrate", "--check")  # which starts the server, with the limit
    made.stay_up()
    yield made
    made.stop()


ASK = """
import json, sys, django
django.setup()
from django.conf import settings
from django.test import Client, override_settings
plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # no file has to be there
override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}).enable()
client = Client(raise_request_exception=False, headers={"host": "localhost"})
login = {"login": "alice@example.com", "password": "correct horse"}
before = client.get("/readyz")
answers = [client.post("/login/", login), client.get("/readyz"), client.get("/healthz")]
print(json.dumps([[before.json()["checks"]["writable"]], *([a.status_code, a.content.decode()] for a in answers)]))
"""
# Rows that each fill a block, until the table cannot be given another one.
FILL = """
DO $$
BEGIN
    ALTER TABLE django_session ALTER session_data SET STORAGE PLAIN;
    FOR number IN 1..10000 LOOP
        INSERT INTO django_session VALUES (lpad(number::text, 40, '-'), repeat('x', 8000), now());
        COMMIT;
    END LOOP;
END $$
"""


def test_a_log_in_on_a_full_disk_is_no_failure_of_the_site(small_disk: OwnSite) -> None:
    too_much = pytest.raises(psycopg.Error, match="could not extend file")
    with psycopg.connect(small_disk.conninfo, autocommit=True) as database, too_much:
        database.execute(FILL)

    (written,), (login, page), (unready, told), alive = json.loads(small_disk.run("-c", ASK))

    assert written is True
    assert (login, "The database cannot take this now" in page) == (503, True)
    assert (unready, alive) == (503, [200, "ok\n"])
    assert [problem["problem"] for problem in json.loads(told)["problems"] if problem["check"] == "writable"] == [
        "The database's disk was full within the last minute."
    ]


def write_calls(path: Path, number: int) -> Path:
    """Calls as large as they can be, each another one."""
    chance = random.Random(number)
    rows = [
        ",".join(
            [f"2025-03-01T10:{n // 60 % 60:02}:{n % 60:02}Z", f"{n:06}"]
            + [base64.urlsafe_b64encode(chance.randbytes(180)).decode() for _ in LONG_TEXTS]
        )
        for n in range(number)
    ]
    path.write_text("\n".join([",".join(("timestamp", "request_id", *LONG_TEXTS)), *rows]))
    return path


def test_a_full_disk(small_disk: OwnSite, tmp_path: Path) -> None:
    imported = ("manage.py", "import_usage", write_calls(tmp_path / "some.csv", CALLS), "--organization=acme")
    rolled = ("manage.py", "aggregate_day", "2025-03-01")
    small_disk.run(*imported)
    more = ("manage.py", "import_usage", write_calls(tmp_path / "more.csv", 2 * CALLS), "--organization=acme")
    for arguments in (more, rolled):
        status, said, complained = small_disk.attempt(*arguments)
        assert (status, said) == (1, "")
        assert complained.startswith("CommandError: The database failed: could not extend file ")
        assert complained.count("\n") == 1
    assert small_disk.count("aggregates_usagelog") == CALLS
    assert small_disk.count("aggregates_dailyaggregate") + small_disk.count("aggregates_dailybreakdown") == 0

    small_disk.stop()  # the disk is made larger, and all is started again
    small_disk.largest_file = None
    small_disk.stay_up()
    small_disk.run(*rolled)
    small_disk.execute("ANALYZE")  # as PostgreSQL itself does within a minute
    assert small_disk.recorded() == [f"{n:06}" for n in range(CALLS)]
