"""A command that fails unforeseen says so as JSON where a log of JSON is kept, and as Python does where people read."""

import json
import subprocess
from typing import Any

import pytest
from django.db import connection

from tests.patience import PATIENCE
from tests.processes import start

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def broken(transactional_db: None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_organization RENAME COLUMN name TO moved")
        yield
        cursor.execute("ALTER TABLE aggregates_organization RENAME COLUMN moved TO name")


def run(monkeypatch: pytest.MonkeyPatch, form: str) -> tuple[int, str]:
    monkeypatch.setenv("LOG_FORMAT", form)
    report = ("usage_report", "--organization=acme", "--from=2025-02-01", "--to=2025-03-31")
    process = start(*report, stderr=subprocess.PIPE)
    _, complained = process.communicate(timeout=PATIENCE)
    return process.returncode, complained


def test_for_what_collects_logs(broken: None, monkeypatch: pytest.MonkeyPatch) -> None:
    status, complained = run(monkeypatch, "json")

    (line,) = map(json.loads, complained.splitlines())
    assert status == 1
    assert (line["level"], line["command"]) == ("CRITICAL", "usage_report")
    assert "UndefinedColumn" in line["traceback"]


def test_for_people(broken: None, monkeypatch: pytest.MonkeyPatch) -> None:
    status, complained = run(monkeypatch, "text")

    assert status == 1
    assert complained.startswith("Traceback (most recent call last)")
