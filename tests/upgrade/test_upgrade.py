"""An installation of the version before, with its data, is upgraded in place: its numbers stay, and its tasks run.

The data of each version was made once by `make.py`: a month whose calls are dropped, clean days, a late call, days that
are not rolled up, saved presets, prices, keys, schedules, and a task in the queue.
"""

import csv
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.patience import wait_until
from tests.processes import loaded_site
from tests.serving import serving
from tests.upgrade.make import HERE, LAST, SECRET
from tests.words import NO_PROBLEM

VERSIONS = sorted(file.stem for file in HERE.glob("*.sql"))
ASK = "import json, django; django.setup(); from tests.upgrade import make; print(json.dumps({}))"


class Installation(NamedTuple):
    """A database of its own on the tests' server, and what the version before said of it."""

    database: str
    said: dict[str, Any]

    def environment(self) -> dict[str, str]:
        """Say what its processes have that others have not."""
        return {
            "DJANGO_SETTINGS_MODULE": "tests.process_settings",
            "SECRET_KEY": SECRET,
            "TEST_DATABASE": self.database,
            # Not that of the process that runs tests, some of which bring about full disks.
            "PROMETHEUS_MULTIPROC_DIR": os.path.join(os.environ["USAGESITE_DATA"], "upgraded", self.database),
        }

    def run(self, *command: str) -> str:
        """Run Python with this database and return what it prints; it has to end well."""
        status, said, complained = loaded_site(**self.environment()).run(*command)
        assert status == 0, complained
        return said

    def ask(self, expression: str) -> Any:
        return json.loads(self.run("-c", ASK.format(expression)))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with _database(self.database) as cursor:
            cursor.execute(sql)
            return cursor.fetchall()


class _database:  # noqa: N801 (it reads as a function)
    """A cursor on another database of the tests' server."""

    def __init__(self, name: str) -> None:
        self.connection = connection.copy()
        self.connection.settings_dict = {**connection.settings_dict, "NAME": name}

    def __enter__(self) -> Any:
        return self.connection.cursor()

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def on_server(sql: str) -> None:
    with _database("postgres") as cursor:
        cursor.execute(sql)


@pytest.fixture(scope="module", params=VERSIONS)
def upgraded(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Installation]:
    """The installation right after `manage.py migrate`; nobody writes to it."""
    name = f"upgraded_{os.getpid()}_{request.param.replace('.', '_')}"
    made = Installation(name, json.loads((HERE / f"{request.param}.json").read_text()))
    with django_db_blocker.unblock():
        on_server(f"CREATE DATABASE {name} TEMPLATE template0")
        with _database(name) as cursor:
            cursor.execute((HERE / f"{request.param}.sql").read_text())
        made.run("manage.py", "migrate", "--verbosity", "0")
        yield made
        on_server(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def installation(upgraded: Installation, django_db_blocker: DjangoDbBlocker) -> Iterator[Installation]:
    """A copy to work on."""
    name = f"{upgraded.database}_copy"
    with django_db_blocker.unblock():
        on_server(f"CREATE DATABASE {name} TEMPLATE {upgraded.database}")
        yield upgraded._replace(database=name)
        on_server(f"DROP DATABASE {name} WITH (FORCE)")


def assert_same_numbers(installation: Installation) -> None:
    """Every figure that the version before had is the same; there may be more of them."""
    now = installation.ask("make.numbers()")
    assert list(now) == list(installation.said["numbers"])
    for slug, breakdowns in installation.said["numbers"].items():
        for by, lines in breakdowns.items():
            before = list(csv.DictReader(lines))
            figures = [{name: row[name] for name in before[0]} for row in csv.DictReader(now[slug][by])]
            assert figures == before, (slug, by)


def test_numbers_are_the_same_at_once(upgraded: Installation) -> None:
    assert_same_numbers(upgraded)


def test_queued_and_scheduled_tasks_run_and_renew_every_day(installation: Installation, tmp_path: Path) -> None:
    def finished() -> bool:
        groups = installation.rows('SELECT "group" FROM django_q_task WHERE success')
        return {("queued",), ("nightly",), ("repair",)} <= set(groups)

    with (tmp_path / "log").open("w") as log:
        cluster = loaded_site(**installation.environment()).start("manage.py", "qcluster", stdout=log, stderr=log)
    try:
        wait_until(finished, "all tasks have run")
    finally:
        cluster.send_signal(signal.SIGTERM)
        assert cluster.wait(timeout=60) == 0
    assert installation.rows("SELECT result FROM django_q_task WHERE NOT success") == []
    assert "Traceback" not in (tmp_path / "log").read_text()

    assert_same_numbers(installation)
    sources = installation.ask("[json.loads(make.report(slug, '', 'json'))['source'] for slug in make.ZONES]")
    assert [source["log_days"] for source in sources] == [0, 0]
    assert NO_PROBLEM in installation.run("manage.py", "check_usage", "--verify", "1000")


def test_rolling_up_everything_by_force_changes_no_number(installation: Installation) -> None:
    installation.run("manage.py", "aggregate_day", "--from", "2025-01-01", "--to", LAST, "--force")
    assert_same_numbers(installation)


def test_keys_prices_and_presets_go_on_working(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("when,name,tokens\n2025-04-29T12:00Z,gpt-5,1000000\n")
    saved = ("manage.py", "import_usage", str(file), "--organization", "acme", "--preset", "ours")
    assert "1 new, 0 already there" in installation.run(*saved)

    with serving(**installation.environment()) as port:
        call = {"timestamp": "2025-04-29T13:00Z", "model": "gpt-5", "output_tokens": 2_000_000}
        assert answer_to(port, "", installation.said["keys"]["record"], call)["accepted"] == 1
        day = "?range=custom&from=2025-04-29&to=2025-04-29&by=none"
        totals = answer_to(port, day, installation.said["keys"]["read"])["totals"]
    assert (totals["calls"], totals["cost"]) == (2, "19.000000000000")  # at $2 and $8.50, as was set


def test_people_log_in_with_the_passwords_they_had(installation: Installation) -> None:
    ask = "make.log_in('alice@example.com', 'correct horse battery')"
    assert installation.ask(ask) == [302, "/o/acme/"]
    assert installation.ask(ask.replace("battery", "stable")) == [200, ""]


def answer_to(port: int, query: str, key: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/usage{query}",
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
