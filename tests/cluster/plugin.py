"""Runs tests on the cluster whose coordinator CITUS_URL names, in the database that it names, which is emptied."""

import os
from collections.abc import Iterator
from io import StringIO

import pytest
from pytest_django import DjangoDbBlocker

os.environ["DATABASE_URL"] = os.environ["CITUS_URL"]


def pytest_configure() -> None:
    from django.conf import settings

    database = settings.DATABASES["default"]
    database["TEST"]["NAME"] = database["NAME"]


@pytest.fixture(scope="session", autouse=True)
def distributed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Have what grows with calls distributed."""
    from django.core.management import call_command
    from django.db import connection

    with django_db_blocker.unblock():
        with connection.cursor() as cursor:  # two for each worker: emptying tables takes as long as there are shards
            cursor.execute("SET citus.shard_count = 4")
        call_command("distribute", stdout=StringIO())
        call_command("flush", verbosity=0, interactive=False)  # what a run left that was broken off
    yield
