"""Tests of a module find the same history, whatever the others do to it, and nothing that they did not ask for."""

from collections.abc import Callable
from datetime import date

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django_q.models import Schedule

from aggregates.accounts import keys
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_member, make_organization


@pytest.fixture(scope="module", params=["UTC", "Asia/Kolkata"])
def history(request: pytest.FixtureRequest, shared: None, call: Callable[..., Call]) -> str:
    record(make_organization("acme", request.param), [call("2025-03-01T20:00Z", cost="1")])
    return str(request.param)


@pytest.fixture(scope="module")
def rolled(history: str) -> None:
    roll_up()


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_changes_the_next_finds_unchanged(history: str, acme: Organization, turn: int) -> None:
    assert acme.time_zone == history
    assert UsageLog.objects.get().cost == 1
    UsageLog.objects.all().delete()
    roll_up()


@pytest.mark.parametrize("turn", [1, 2])
def test_a_history_grows(rolled: None, history: str, acme: Organization, turn: int) -> None:
    day = date(2025, 3, 1) if history == "UTC" else date(2025, 3, 2)
    assert DailyAggregate.objects.get().date == day
    DailyAggregate.objects.all().delete()


def test_who_asks_for_less_finds_no_more(history: str, db: None) -> None:
    assert UsageLog.objects.exists()
    assert not DailyAggregate.objects.exists()


def test_who_asks_for_nothing_finds_nothing(db: None) -> None:
    assert not Organization.objects.exists()


def test_who_commits_finds_nothing(transactional_db: None) -> None:
    assert not Organization.objects.exists()


def test_who_commits_leaves_nothing(transactional_db: None, call: Callable[..., Call]) -> None:
    acme = make_organization("acme")
    keys.create(acme, "web", make_member("alice@example.com", acme))
    record(acme, [call(f"{month}-01T12:00Z", cost="1") for month in ("2020-02", "2025-03")])
    roll_up()
    call_command("flush", verbosity=0, interactive=False)

    left = {model for model in apps.get_models() if model._meta.managed and model._base_manager.exists()}
    assert left == {ContentType, Permission, Schedule}  # as after migrating
