"""A site with usage, and a standby of its database that reads come from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker

from aggregates.accounts import keys
from aggregates.db import standby
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Kind, Organization, User
from aggregates.rollup.protocol import roll_up
from tests.patience import PATIENCE, wait_until
from tests.replica import AT_ONCE, Outcomes, Replica, conninfo_of_tests, forget_pauses, standby_set, wait_until_read

Behind = Callable[[], AbstractContextManager[None]]
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[Replica]:
    """A replica that nobody breaks."""
    made = Replica(conninfo_of_tests("postgres"), AT_ONCE)
    yield made
    made.stop()


@pytest.fixture(scope="module", autouse=True)
def its_reads(server: Replica, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let reads of a module come from the server."""
    with django_db_blocker.unblock(), standby_set(server):
        yield


@pytest.fixture
def replica(transactional_db: None, server: Replica, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replica]:
    """The server, which reads wait for, however slow the machine is."""
    monkeypatch.setattr(standby, "PATIENCE", PATIENCE)
    yield server
    forget_pauses()


@pytest.fixture
def behind(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Behind:
    """Have the standby stop to replay for a while, with something written that it lacks; nobody waits for long."""

    @contextmanager
    def stopped() -> Iterator[None]:
        replica.execute("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        with psycopg.connect(replica.conninfo("postgres"), autocommit=True) as asked:
            wait_until(lambda: asked.execute(state).fetchone() == ("paused",), "replay is paused")
        try:
            with connection.cursor() as cursor, monkeypatch.context() as hurry:
                cursor.execute("CREATE TABLE not_replayed (); DROP TABLE not_replayed")
                hurry.setattr(standby, "PATIENCE", 0.01)
                yield
        finally:
            replica.execute("SELECT pg_wal_replay_resume()")
            forget_pauses()

    return stopped


@pytest.fixture
def history(acme: Organization, call: Callable[..., Call]) -> Organization:
    """Acme with calls of some days, most of which are rolled up."""
    moments = [TODAY - timedelta(days=number, hours=-1) for number in (0, 1, 2, 5, 9, 11)]
    record(acme, [call(at.isoformat(), cost="0.5", user_id=f"u{at.day % 3}", input_tokens=100) for at in moments])
    roll_up(dates={at.date() for at in moments[2:]})
    return acme


@pytest.fixture
def outcomes(replica: Replica, history: Organization) -> Outcomes:
    """Where reads end, once the standby has all that is there by now."""
    wait_until_read()
    return Outcomes()


@pytest.fixture
def pages(client: Client, alice: User) -> Client:
    """Alice's browser."""
    client.force_login(alice)
    return client


@pytest.fixture
def reader(acme: Organization, client: Client) -> Callable[[str], Any]:
    """A program that reads with a key of Acme."""
    secret = keys.create(acme, "report", None, Kind.READ)[1].text

    def read(address: str) -> Any:
        answer = client.get(address, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 200, answer.content
        return {name: value for name, value in answer.json().items() if name != "as_of"}

    return read


def is_standby() -> bool:
    """Whether whoever asks now asks a standby."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        found: bool = cursor.fetchone()[0]
        return found
