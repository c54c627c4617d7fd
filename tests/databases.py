"""How long what tests write to the database stays: for a test, or, where many tests look at the same, for a module."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby

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

    It is never committed, and gone before the first test of the module that commits: these come last.
    """
    with django_db_blocker.unblock(), undone:
        whole = transaction.atomic()
        whole._from_testcase = True  # as Django's own TestCase has it: code may insist on an outermost transaction
        undone.enter_context(whole)
        undone.callback(transaction.set_rollback, True)
        yield


undone = ExitStack()  # ends the transaction of `shared`


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Put the tests of a module for which its fixtures write less before those for which they write more."""
    modules = groupby(items, lambda item: item.path)
    items[:] = [item for _, of_module in modules for item in sorted(of_module, key=order)]


def order(item: pytest.Function) -> tuple[bool, int]:
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return commits(item), sum(definitions[-1].scope == "module" for definitions in fixtures)


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker, web_server: WebServer) -> Iterator[None]:
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
    undone.close()
    request.getfixturevalue("transactional_db")
    yield
    if "web_server" in request.fixturenames:
        request.getfixturevalue("web_server").wait_until_idle()
    wait_for_others()


def commits(item: pytest.Function) -> bool:
    marker = item.get_closest_marker("django_db")
    return "transactional_db" in item.fixturenames or bool(marker and marker.kwargs.get("transaction"))


def wait_for_others() -> None:
    """Wait until no other connection to this database is in the middle of anything."""
    with connection.cursor() as cursor:
        while cursor.execute(OTHERS_AT_WORK).fetchone():
            time.sleep(0.02)
