"""Whatever happens to the standby, pages are as they are on the primary: reads that fail there are done again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from aggregates.db import standby
from aggregates.db.limits import TimedOut
from aggregates.db.partitions import existing_months
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.ops import health
from aggregates.ops.checks.standby import COLUMNS, TABLES
from aggregates.ops.health import gathering
from aggregates.rollup.protocol import roll_up
from aggregates.rollup.retention import drop_month
from aggregates.web.exports import streaming
from tests.patience import PATIENCE
from tests.replica import AT_ONCE, READS_STANDBY, Outcomes, Replica, conninfo_of_tests, standby_set, wait_until_read
from tests.standby.conftest import Behind
from tests.standby.test_reading import API, FILES, PAGES, calls_in_log, content
from tests.threads import in_a_thread

pytestmark = [pytest.mark.slow, READS_STANDBY]

DASHBOARD = "/o/acme/?range=90d&by=user"
OVER = date(2025, 1, 1)


def fail_with(statement: str, before: Callable[[], object] = lambda: None) -> None:
    """Have the first statement of the next read on the standby do this first, and then be another one."""
    wrappers = connections[standby.ALIAS].execute_wrappers

    def once(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if "statement_timestamp()" not in sql:  # with that, a snapshot has begun
            return execute(sql, parameters, many, context)
        wrappers.remove(once)
        execute(sql, parameters, many, context)
        before()
        return execute(statement, None, many, context)

    wrappers.append(once)


def drop() -> None:
    """Drop a month on the primary, for which nobody there has to wait."""
    in_a_thread(lambda: drop_month(OVER)).join()


@pytest.fixture
def old_month(history: Organization, call: Callable[..., Call]) -> None:
    """A month that may be dropped; its calls stay in the sums."""
    record(history, [call("2025-01-15T12:00Z", user_id="old", cost="7")])
    roll_up(dates={date(2025, 1, 15)})


def test_a_read_that_replay_cancels_is_done_again(old_month: None, pages: Client, outcomes: Outcomes) -> None:
    """A month that is dropped on the primary does not wait for who reads the standby."""
    address = "/o/acme/?range=custom&from=2025-01-01&to=2025-01-31&by=user"
    before = pages.get(address)
    assert b"$7" in before.content
    outcomes.new()
    fail_with(f"SELECT pg_sleep({PATIENCE})", before=drop)
    again = pages.get(address)
    assert OVER not in existing_months()
    assert (again.status_code, again.content.count(b"$7")) == (200, before.content.count(b"$7"))
    assert outcomes.new() == {"cancelled": 1}


def test_a_file_that_replay_cancels_has_each_row_once(
    pages: Client, outcomes: Outcomes, server: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though half of it is made."""
    expected = content(pages, FILES[3])
    rows_of = streaming._rows
    monkeypatch.setattr(streaming, "CHUNK", 1)

    def cancelled(cursor: Any, copy: str, parameters: list[Any]) -> Iterator[bytes]:
        rows = rows_of(cursor, copy, parameters)
        yield next(rows)
        yield next(rows)
        if is_standby_of(cursor):
            rows.close()
            with psycopg.connect(conninfo_of_tests()) as other:
                other.execute("LOCK TABLE aggregates_usagelog; SELECT pg_current_xact_id()")
            cursor.execute(f"SELECT pg_sleep({PATIENCE})")
        yield from rows

    monkeypatch.setattr(streaming, "_rows", cancelled)
    outcomes.new()
    assert content(pages, FILES[3]) == expected
    assert outcomes.new() == {"cancelled": 1}


def is_standby_of(cursor: Any) -> bool:
    return bool(cursor.db.alias == standby.ALIAS)


def test_a_read_whose_connection_is_ended_is_done_again(pages: Client, outcomes: Outcomes) -> None:
    expected = content(pages, FILES[0])
    outcomes.new()
    fail_with("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)")
    assert content(pages, FILES[0]) == expected
    assert outcomes.new() == {"down": 1}
    assert content(pages, FILES[0]) == expected
    assert outcomes.new() == {"standby": 1}


def test_what_the_standby_cannot_do_the_primary_does(
    pages: Client, outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    fail_with("CREATE TABLE never ()")
    assert pages.get(DASHBOARD).status_code == 200
    assert outcomes.new() == {"failed": 1}
    said = "A read failed on the standby, and is done again on the primary: ReadOnlySqlTransaction 25006."
    assert caplog.messages == [said]


def test_a_statement_that_takes_too_long_is_not_asked_again(outcomes: Outcomes) -> None:
    @prefer_standby
    def wait() -> None:
        with snapshot(0.05), connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_sleep({PATIENCE})")

    with pytest.raises(TimedOut):
        wait()
    assert outcomes.new() == {"standby": 1}


def test_what_is_read_outside_of_a_snapshot_ends_in_time_too(outcomes: Outcomes) -> None:
    @prefer_standby
    def limits() -> tuple[str, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
            found: tuple[str, str] = cursor.fetchone()
            return found

    assert limits() == ("20s", "3s")
    assert outcomes.new() == {"standby": 1}


@pytest.fixture
def broken(replica: Replica, history: Organization) -> Iterator[Replica]:
    """A replica of its own, for a test that breaks it."""
    made = Replica(conninfo_of_tests("postgres"), AT_ONCE)
    try:
        with standby_set(made):
            wait_until_read()
            yield made
    finally:
        made.stop()


def words_of_problems() -> list[tuple[str, bool]]:
    return [(problem.words, problem.unready) for problem in health.problems() if problem.check == "standby"]


def warnings(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("check", databases=["default"])
    return capsys.readouterr().err


def test_pages_go_on_when_it_is_killed_and_come_from_it_again_when_it_is_back(
    broken: Replica, pages: Client, outcomes: Outcomes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (words_of_problems(), warnings(capsys)) == ([], "")
    content(pages, DASHBOARD)
    assert outcomes.new() == {"standby": 1}
    broken.kill()
    for address in (DASHBOARD, FILES[1], FILES[3]):
        content(pages, address)
    assert outcomes.new() == {"down": 3}
    said = "Reads come from the primary: the standby does not answer (no connection)."
    assert words_of_problems() == [(said, False)]
    assert "The standby does not answer (no connection); reads come from the primary." in warnings(capsys)
    back = Replica(folder=broken.place.data)
    try:
        wait_until_read()
        assert (words_of_problems(), warnings(capsys)) == ([], "")
        content(pages, DASHBOARD)
        assert outcomes.new() == {"standby": 1}
    finally:
        back.stop()


def test_a_standby_that_does_not_answer_is_left_alone_for_a_while(
    broken: Replica, history: Organization, outcomes: Outcomes
) -> None:
    asked: list[object] = []
    broken.kill()
    assert calls_in_log(history)[1] is False
    connections[standby.ALIAS].ensure_connection = lambda: asked.append(None)  # type: ignore[method-assign]
    assert calls_in_log(history)[1] is False
    assert asked == []
    assert outcomes.new() == {"down": 2}


STRANGERS = {
    "the primary itself": "is no standby: it is a primary itself",
    "another database": "is a standby of the same server, but asked for another of its databases",
    "another server": "is a server of its own, and holds another database",
    "one that was promoted": "is no standby: it is a primary itself",
    "one that follows it": "is on timeline 2, the primary on 1: it follows another primary, or has made no restart "
    "point since the last failover",
}


@contextmanager
def stranger(what: str, replica: Replica) -> Iterator[None]:
    """Set a standby that is none of this database."""
    made: list[Replica] = []
    settings: dict[str, Any] = {}
    if what == "the primary itself":
        primary = connections.settings["default"]
        settings = {"HOST": primary["HOST"], "PORT": primary["PORT"]}
    if what == "another database":
        settings = {"NAME": "postgres"}
    if what == "another server":
        made.append(Replica())
        made[-1].execute(f"CREATE DATABASE {connections.settings['default']['NAME']}")
    if what in ("one that was promoted", "one that follows it"):
        made.append(Replica(conninfo_of_tests("postgres")))
        made[-1].execute("SELECT pg_promote()")
    if what == "one that follows it":
        made[-1].execute("CHECKPOINT")
        made.append(Replica(made[-1].conninfo("postgres")))
    try:
        with standby_set(made[-1] if made else replica, **settings):
            yield
    finally:
        for each in reversed(made):
            each.stop()


@pytest.mark.parametrize("what", STRANGERS)
def test_a_server_that_is_no_standby_of_this_database_is_never_read(
    replica: Replica, pages: Client, outcomes: Outcomes, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    with stranger(what, replica):
        content(pages, DASHBOARD)
        assert outcomes.new() == {"stranger": 1}
        assert words_of_problems() == [(f"Reads come from the primary: the standby {STRANGERS[what]}.", False)]
        assert f"The standby {STRANGERS[what]}; reads come from the primary." in warnings(capsys)


def test_one_that_is_behind_is_a_problem_in_words(
    replica: Replica, behind: Behind, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "STANDBY_WITHIN", 0.01)
    with behind():
        said = "Reads come from the primary: the standby has not replayed what the primary had written."
        assert words_of_problems() == [(said, False)]


READER = "usagesite_test_reader"


@pytest.fixture
def role(replica: Replica, transactional_db: None) -> Iterator[str]:
    """Somebody who may log in, and nothing else."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {READER} LOGIN")
    yield READER
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}")


def test_a_role_that_may_read_a_dozen_tables_suffices(
    replica: Replica,
    role: str,
    pages: Client,
    reader: Callable[[str], Any],
    outcomes: Outcomes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    User.objects.update(is_staff=True)
    names = sorted(model._meta.db_table for model in TABLES)
    with standby_set(replica, USER=role):
        wait_until_read()
        forbidden = ", ".join(sorted([*names, *(model._meta.db_table for model in COLUMNS)]))
        assert f"On the standby, the user of READ_DATABASE_URL may not read {forbidden}." in warnings(capsys)
        assert pages.get(DASHBOARD).status_code == 200
        assert outcomes.new() == {"failed": 1}
        with connection.cursor() as cursor:
            cursor.execute(f"GRANT SELECT ON {', '.join(names)} TO {role}")
            for model, columns in COLUMNS.items():
                cursor.execute(f"GRANT SELECT ({', '.join(columns)}) ON {model._meta.db_table} TO {role}")
        for address in (*PAGES, *FILES):
            content(pages, address)
        for address in API:
            reader(address)
        assert set(outcomes.new()) == {"standby"}
        assert warnings(capsys) == ""
