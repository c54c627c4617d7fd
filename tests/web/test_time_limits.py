"""While somebody locks a table, every page, file, probe and answer of the API comes in time, and says why."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from aggregates.accounts import keys
from aggregates.db import limits
from aggregates.db.snapshot import snapshot
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Kind, Organization, User
from aggregates.ops import health
from aggregates.web.pages import dashboard
from tests.locking import locked

LOG = "aggregates_usagelog"
BUSY = "The database is being changed, and nobody can read it meanwhile: try again in a moment."
# Of Acme's: what each address answers while nobody can read the log.
IN_WORDS = ("", "changes/", "groups/", "calls/")  # the page as ever, with the reason in the place of numbers
REFUSED = ("calls/1/", "usage.csv", "usage.xlsx", "calls.csv", "focus.csv", "prices/comparison/")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOCK_SECONDS", 0.05)


@pytest.fixture
def visitor(client: Client, alice: User) -> Client:
    User.objects.update(is_staff=True, is_superuser=True)
    client.force_login(alice)
    return client


def test_pages_say_why_they_have_no_numbers(visitor: Client) -> None:
    with locked(LOG):
        for address in IN_WORDS:
            page = visitor.get(f"/o/acme/{address}")
            assert (page.status_code, BUSY in page.content.decode()) == (200, True), address
        suggestions = visitor.get("/o/acme/values/?add=model")
        assert (suggestions.status_code, b"<option" in suggestions.content) == (200, False)


def test_what_would_hold_nothing_is_answered_503(visitor: Client) -> None:
    with locked(LOG):
        for address in (*(f"/o/acme/{each}" for each in REFUSED), "/platform/", "/admin/aggregates/usagelog/"):
            page = visitor.get(address)
            assert (page.status_code, BUSY in page.content.decode()) == (503, True), address
            assert int(page["Retry-After"]) > 0


def test_statements_outside_of_a_snapshot_are_limited_too(visitor: Client) -> None:
    with locked("aggregates_organization"):
        page = visitor.get("/o/acme/keys/")
    assert (page.status_code, BUSY in page.content.decode()) == (503, True)
    assert visitor.get("/o/acme/keys/").status_code == 200


def test_the_session_has_no_limits_afterwards(visitor: Client) -> None:
    assert visitor.get("/o/acme/").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "0")


def test_probes_answer(client: Client) -> None:
    with locked(LOG):
        ready, metrics = client.get("/readyz"), client.get("/metrics", headers={"host": "localhost"})
    assert ready.status_code == 503
    assert not ready.json()["checks"]["database"]
    assert metrics.status_code == 200
    assert b"usagesite_database_up 0.0" in metrics.content
    assert health.gather().database


def test_programs_get_a_problem_document(client: Client, acme: Organization) -> None:
    secret = keys.create(acme, "report", None, Kind.READ)[1].text
    with locked(LOG):
        answer = client.get("/api/v1/usage", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["detail"] == BUSY


@pytest.mark.parametrize("file", ["calls.csv", "focus.csv"])
def test_nobody_waits_for_the_reader_of_a_file(
    visitor: Client, acme: Organization, call: Callable[..., Call], file: str
) -> None:
    record(acme, [call("2025-07-01T12:00Z")])
    response = visitor.get(f"/o/acme/{file}?range=custom&from=2025-07-01&to=2025-07-01")
    with locked(LOG):  # as a migration does, or who drops a month
        assert len(b"".join(response.streaming_content).splitlines()) == 2


@pytest.mark.parametrize("address", ["/o/acme/prices/comparison/", "/platform/"])
def test_statements_end_in_time(visitor: Client, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        if "FROM aggregates_usage" in sql.replace('"', ""):
            execute("SELECT pg_sleep(30)", None, many, context)
        return execute(sql, params, many, context)

    for page in ("comparison", "overview"):
        monkeypatch.setattr(f"aggregates.web.pages.{page}.PATIENCE", 0.05)
    with connection.execute_wrapper(slowly):
        answer = visitor.get(address)
    assert answer.status_code == 503
    assert "ask for fewer days" in answer.content.decode()


def test_a_snapshot_without_a_limit_waits(acme: Organization) -> None:
    with snapshot(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "0")
    with snapshot(dashboard.PATIENCE), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("15s", "50ms")


def test_a_database_that_is_gone_is_said_to_be(visitor: Client) -> None:
    def fails(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        return execute("SELECT pg_terminate_backend(pg_backend_pid())", None, many, context)

    with connection.execute_wrapper(fails):
        answer = visitor.get("/o/acme/keys/")
    connection.close()  # as Django does after each request
    assert answer.status_code == 503
    assert "The database does not answer" in answer.content.decode()
