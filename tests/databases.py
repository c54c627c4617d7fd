"""How long what tests write to the database stays: for a test, or, where many tests look at the same, for a module."""

import time
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from tests.web_server import WebServer

OTHERS_AT_WORK = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND state IS DISTINCT FROM 'idle'
"""


@pytest.fixture(scope="module")
def shared(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What fixtures of a module write lies under each of its tests, which may change it: each finds it unchanged.

    It is never committed, so tests with `transactional_db` belong to other modules.
    """
    with django_db_blocker.unblock():
        whole = transaction.atomic()
        whole._from_testcase = True  # as Django's own TestCase has it: code may insist on an outermost transaction
        with whole:
            yield
            transaction.set_rollback(True)


@pytest.fixture(scope="module")
def committed(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, web_server: WebServer
) -> Iterator[None]:
    """What a module's fixtures and tests write is committed, for others to see, and stays until the last of them."""
    with django_db_blocker.unblock():
        yield
        web_server.wait_until_idle()
        wait_for_others()
        call_command("flush", verbosity=0, interactive=False)
        connection.close()


@pytest.fixture(autouse=True)
def quiet_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait for whoever is still at work after a test that commits: emptying tables under them would be a deadlock.

    Is set up after the database and before all else, so its end comes after all else ended, and before the database's.
    """
    if not commits(request.node):
        yield
        return
    assert not connection.in_atomic_block, "A test that commits belongs to another module than a `shared` database."
    request.getfixturevalue("transactional_db")
    yield
    if "web_server" in request.fixturenames:
        request.getfixturevalue("web_server").wait_until_idle()
    wait_for_others()


def commits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    return "transactional_db" in item.fixturenames or bool(marker and marker.kwargs.get("transaction"))


def wait_for_others() -> None:
    """Wait until no other connection to this database is in the middle of anything."""
    with connection.cursor() as cursor:
        while cursor.execute(OTHERS_AT_WORK).fetchone():
            time.sleep(0.02)
