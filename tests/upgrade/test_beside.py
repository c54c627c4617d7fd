"""What tries a version beside this one finds nothing wrong with this version itself, and sees faults."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.processes import BASE
from tests.upgrade import beside
from tests.upgrade.make import HERE
from tests.upgrade.test_upgrade import on_server

pytestmark = pytest.mark.slow
VERSION = max(file.stem for file in HERE.glob("*.sql"))


@contextmanager
def database(template: str, name: str) -> Iterator[str]:
    """Make a copy of a database of the tests' server, and give its address."""
    server = connection.settings_dict
    who = f"{quote(server['USER'], '')}:{quote(server['PASSWORD'], '')}@{quote(server['HOST'], '')}:{server['PORT']}"
    on_server(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"postgresql://{who}/{name}"
    on_server(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def upgraded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database with an installation of the version before, whose tables are those of this version."""
    name = f"beside_{os.getpid()}"
    with django_db_blocker.unblock(), database("template0", name) as address:
        beside.upgrade(VERSION, address)
        yield name


@pytest.fixture
def tables(upgraded: str, transactional_db: None) -> Iterator[str]:
    """The address of a copy of it."""
    with database(upgraded, f"{upgraded}_copy") as address:
        yield address


def test_this_version_goes_on_beside_itself(tables: str) -> None:
    assert beside.try_on_tables(BASE, tables) == []


def test_a_version_that_fails_to_record_is_seen(tables: str, tmp_path: Path) -> None:
    for name in ("aggregates", "usagesite", "templates", "node_modules"):
        (tmp_path / name).symlink_to(BASE / name)
    fails = "import sys\nif 'import_usage' in sys.argv: sys.exit('there is no such column')\n"
    (tmp_path / "manage.py").write_text(fails + (BASE / "manage.py").read_text())
    assert beside.try_on_tables(tmp_path, tables) == ["records: there is no such column"]


def test_too_few_rows_and_other_figures_are_seen() -> None:
    now = {"acme": {"": ["day,calls,charges", "2025-03-01,2,0", "2025-03-02,1,0"]}}
    assert beside.differences("reads", {"acme": {"": ["day,calls", "2025-03-01,2", "2025-03-02,1"]}}, now) == []
    assert beside.differences("reads", {"acme": {"": ["day,calls", "2025-03-01,2"]}}, now) == [
        "reads: acme by nothing has 1 rows, and should have 2"
    ]
    assert beside.differences("reads", {"acme": {"": ["day,calls", "2025-03-01,2", "2025-03-02,2"]}}, now) == [
        "reads: acme by nothing has other figures"
    ]
