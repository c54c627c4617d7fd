"""How long what tests write to the database stays: for a test, or, where many tests look at the same, for a module."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from tests.faults.conftest import OwnSite
from tests.once import MakeOnce
from tests.usagesite.conftest import copy
from tests.web_server import WebServer
from usagesite.embedded.server import Place

OTHERS_AT_WORK = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND state IS DISTINCT FROM 'idle'
"""


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_keepdb: bool,
    django_db_blocker: DjangoDbBlocker,
    make_once: MakeOnce,
    request: pytest.FixtureRequest,
) -> Iterator[None]:
    """As pytest-django's own, which makes no database where only fixtures of modules ask for one, and no test does.

    Where several processes run tests, the first of them makes all tables, and each begins with a copy. They share a
    server, where that is the embedded one.
    """
    settings = connection.settings_dict
    if "PYTEST_XDIST_WORKER" in os.environ and "EMBEDDED" in settings:
        migrated, place = request.getfixturevalue("migrated_site"), Place(settings["EMBEDDED"]["data"])
        make_once(f"begun-{place.data.name}", lambda _: begin_with(migrated, place))
        settings["TEST"]["TEMPLATE"] = settings["NAME"]
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, keepdb=django_db_keepdb)
    with models_kept():
        yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0, keepdb=django_db_keepdb)


WRITTEN = """
    SELECT quote_ident(part.relname), EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = part.oid)
    FROM pg_class AS part JOIN pg_class AS whole ON whole.oid = COALESCE(pg_partition_root(part.oid), part.oid)
    WHERE part.relkind = 'r' AND part.relnamespace = current_schema::regnamespace AND whole.relname = ANY(%s)
      AND pg_relation_size(part.oid) > 0
"""


def empty_written(tables: list[str]) -> list[str]:
    """Return the statements that empty those of the tables, and of their partitions, that have been written to.

    Where a foreign key leads there may be few rows, and to truncate it would take all tables that refer to it.
    """
    with connection.cursor() as cursor:
        written = cursor.execute(WRITTEN, [tables]).fetchall()
    truncated = [table for table, is_referred_to in written if not is_referred_to]
    return [
        "SET LOCAL session_replication_role = replica",  # in any order, and whatever may otherwise not be deleted
        *(f"DELETE FROM {table}" for table, is_referred_to in written if is_referred_to),
        *([f"TRUNCATE {', '.join(truncated)}"] if truncated else []),
    ]


@contextmanager
def models_kept() -> Iterator[None]:
    """Leave the rows that say which models there are, and what may be done with them, where tables are emptied.

    Django would fill them in again after each test that commits, which takes longer than most of these. On a server of
    our own, only tables that have been written to are emptied: months of the log come to be dozens in a run.
    """
    kept = {ContentType._meta.db_table, Permission._meta.db_table}
    empty = DatabaseOperations.sql_flush

    def empty_others(self: DatabaseOperations, style: Any, tables: list[str], **options: Any) -> list[str]:
        others = [table for table in tables if table not in kept]
        if "EMBEDDED" in self.connection.settings_dict:
            return empty_written(others)
        return empty(self, style, others, **options)

    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    with patch.object(DatabaseOperations, "sql_flush", empty_others):
        yield


@pytest.fixture(scope="session")
def migrated_site(make_once: MakeOnce) -> Path:
    """The data folder of a site that is migrated, and empty, for copies."""

    def make(data: Path) -> None:
        made = OwnSite(data)
        made.run("manage.py", "migrate", "--verbosity=0")
        made.stop()

    return make_once("migrated-site", make)


def begin_with(data: Path, place: Place) -> None:
    """Give a server that has not run yet the files of another one."""
    if not place.cluster.exists():
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy(Place(data).cluster, place.cluster)


@pytest.fixture(scope="module")
def shared(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What fixtures of a module write lies under each of its tests that ask for them; whatever one of these changes,
    the next finds it unchanged."""
    with django_db_blocker.unblock():
        whole = transaction.atomic()
        whole._from_testcase = True  # as Django's own TestCase has it: code may insist on an outermost transaction
        with whole:
            yield
            transaction.set_rollback(True)


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


# ------------------------------------------------------------------ a test finds nothing that it did not ask for

active: dict[str, int] = {}  # the fixtures of the running module, each with the number of its parameter


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Put the tests of a module for which its fixtures write less before those for which they write more."""
    modules = [sorted(of_module, key=order) for _, of_module in groupby(items, lambda item: item.path)]
    items[:] = [item for of_module in slow_ones_first(modules) for item in of_module]


def slow_ones_first(modules: list[list[pytest.Function]]) -> list[list[pytest.Function]]:
    """Put slow modules at the beginning of equal parts: each process gets one, and takes over from the ends of others,
    so none is left alone with a long one."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [of_module for of_module in modules if is_slow(of_module)]
    parts = [slow[number::processes] for number in range(processes)]
    for of_module in modules:
        if not is_slow(of_module):
            min(parts, key=lambda part: sum(map(len, part))).append(of_module)
    return [of_module for part in parts for of_module in part]


def is_slow(of_module: list[pytest.Function]) -> bool:
    return any(item.get_closest_marker("slow") for item in of_module)


def order(item: pytest.Function) -> tuple[Any, ...]:
    """Those that look at the same come together."""
    fixtures = item._fixtureinfo.name2fixturedefs.items()
    of_module = sorted(name for name, definitions in fixtures if definitions[-1].scope == "module")
    return commits(item), len(of_module), of_module, [parameter(item, name) for name in of_module]


def parameter(item: pytest.Function, fixture: str) -> int:
    return item.callspec.indices.get(fixture, 0) if hasattr(item, "callspec") else 0


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> Iterator[Any]:
    """Check what a module's fixture wrote when it has written it, and not once more after each of its tests."""
    if fixturedef.scope == "module":
        active[fixturedef.argname] = request.param_index
    made = yield
    if fixturedef.scope == "module" and "shared" in active and fixturedef.argname != "shared":
        blocker: DjangoDbBlocker = request.getfixturevalue("django_db_blocker")
        with blocker.unblock():
            connection.check_constraints()
    return made


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any]) -> None:
    active.pop(fixturedef.argname, None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """Whatever the order: undo what the module's fixtures wrote before a test that did not ask for just that."""
    asked = {name: parameter(item, name) for name in item.fixturenames}
    if not {"shared", "committed"}.isdisjoint(active) and not active.items() <= asked.items():
        item.session._setupstate.teardown_exact(item.session)
