"""aggregates.record: a call recorded beside the model call, which never does the caller any harm."""

import asyncio
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, connection, transaction

import aggregates
from aggregates.db.locks import Lock, WrongIsolation, day_number
from aggregates.domain.calls import FIELDS, InvalidCall
from aggregates.ingest import in_process
from aggregates.models import Organization, StaleDay, UsageDay, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.api.test_ailing_database import somebody_else
from tests.fixtures import make_organization
from tests.ingest.conftest import DAY
from tests.processes import BASE
from tests.words import DOLLARS, NO_FIELD, VALUE, WHOLE

WHEN = "2025-03-01T12:00:00Z"


def timeouts() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        found: tuple[str, str] = cursor.fetchone()
        return found


def test_a_call_is_recorded_now_by_slug_or_by_organization(acme: Organization, other: Organization) -> None:
    assert aggregates.record("acme", model="gpt-5", input_tokens=1200, cost=0.1)
    assert aggregates.record(other, model="gpt-5", cost=Decimal("0.3"))
    kept = UsageLog.objects.get(organization=acme)
    assert (kept.model, kept.input_tokens, kept.cost, kept.cost_source) == ("gpt-5", 1200, Decimal("0.1"), "reported")
    assert abs((kept.received_at - kept.timestamp).total_seconds()) < 60
    assert UsageLog.objects.get(organization=other).cost == Decimal("0.3")


def test_it_counts_once_by_its_request_id(acme: Organization) -> None:
    for _ in range(2):
        assert aggregates.record(acme, model="gpt-5", timestamp=WHEN, request_id="r")
    assert UsageLog.objects.count() == 1


def test_a_late_call_leaves_a_mark_as_all_do(acme: Organization) -> None:
    aggregates.record(acme, model="gpt-5", timestamp=WHEN)
    roll_up()
    aggregates.record(acme, model="gpt-5", timestamp=WHEN)
    assert StaleDay.objects.get().date == DAY


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, f"model: {VALUE}"),
    ({"model": "m", "input_tokens": -1}, f"input_tokens: {WHOLE}"),
    ({"model": "m", "cost": float("nan")}, f"cost: {DOLLARS}"),
    ({"model": "m", "messages": "private"}, f"messages: {NO_FIELD}"),
    ({"model": "m", "cached_tokens": 1}, "expected cached_tokens + cache_write_tokens to be within input_tokens"),
    ({"model": ["private"]}, "model: expected text"),
    ({"model": "m", "timestamp": "2024-01-01"}, "timestamp: expected 2025-01-01 or later"),
    ({"model": "m", "organization": "nobody"}, "there is no such organization"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_what_is_no_call_is_logged_without_its_content(
    acme: Organization, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], reason: str
) -> None:
    Organization.objects.update(log_from="2025-01-01")
    with caplog.at_level(logging.WARNING, "aggregates.ingest.in_process"):
        assert not aggregates.record(**{"organization": "acme", **fields})
    (message,) = caplog.messages
    assert message.startswith(f"A call was not recorded: {reason}")
    assert "private" not in caplog.text
    assert not UsageLog.objects.exists()


def test_it_raises_where_that_is_asked_for(acme: Organization) -> None:
    with pytest.raises(InvalidCall, match=rf"^model: {VALUE}$"):
        aggregates.record("acme", raise_errors=True)
    with pytest.raises(Organization.DoesNotExist):
        aggregates.record("nobody", raise_errors=True, model="m")


def break_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_usagelog ADD CONSTRAINT no_private CHECK (user_id <> 'private')")


@pytest.mark.django_db(transaction=True)
def test_a_failure_in_a_transaction_of_the_callers_leaves_that_whole(
    acme: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    break_log()
    try:
        with transaction.atomic():
            Organization.objects.update(name="Renamed")
            assert not aggregates.record("acme", model="gpt-5", timestamp=WHEN, user_id="private")
            assert aggregates.record("acme", model="gpt-5", timestamp=WHEN, user_id="bob")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE aggregates_usagelog DROP CONSTRAINT no_private")
    assert Organization.objects.get().name == "Renamed"
    assert [row.user_id for row in UsageLog.objects.all()] == ["bob"]
    assert "no_private" in caplog.text
    assert "user_id" not in caplog.text
    assert "Failing row" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_broken_already_stays_the_callers_matter(acme: Organization) -> None:
    with pytest.raises(DataError), transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        except DataError:
            assert not aggregates.record("acme", model="gpt-5")
            raise
    assert not UsageLog.objects.exists()
    assert aggregates.record("acme", model="gpt-5")


@pytest.mark.django_db(transaction=True)
def test_a_lock_is_not_waited_for_too_long_and_the_callers_timeouts_stay(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "LOCK_TIMEOUT", "50ms")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '7s'")
        with somebody_else() as sealing:
            sealing.execute("SELECT pg_advisory_xact_lock(%s, %s)", [Lock.DAY, day_number(DAY)])
            assert not aggregates.record("acme", model="gpt-5", timestamp=WHEN)
        assert timeouts() == ("7s", "0")
        assert aggregates.record("acme", model="gpt-5", timestamp=WHEN)
        assert timeouts() == ("7s", "0")
    assert UsageDay.objects.get().date == DAY


def test_in_asynchronous_code_it_says_what_to_do(
    acme: Organization, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handle() -> bool:
        return aggregates.record("acme", model="gpt-5")

    # Beside a browser, this thread has an event loop already, in which Django is told to look away.
    with ThreadPoolExecutor(1) as thread, monkeypatch.context() as context:
        context.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)
        assert thread.submit(lambda: asyncio.run(handle())).result() is False
    assert caplog.messages == ["A call was not recorded: in asynchronous code use sync_to_async(aggregates.record)"]


def test_it_takes_each_field(acme: Organization) -> None:
    fields: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"timestamp": WHEN, "model": "gpt-5", "status": "error"}
    assert aggregates.record("acme", **fields)
    assert UsageLog.objects.get().status == "error"


def test_the_package_is_imported_before_django_is_ready() -> None:
    done = subprocess.run([sys.executable, "-c", "import aggregates; aggregates.record"], cwd=BASE, check=False)
    assert done.returncode == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_does_not_see_what_others_commit_is_refused(
    caplog: pytest.LogCaptureFixture, level: str
) -> None:
    """It would not see a seal that it waited for, so its call would leave no mark."""
    make_organization("acme")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with caplog.at_level(logging.WARNING, "aggregates.ingest.in_process"):
            assert not aggregates.record("acme", model="gpt-5")
        assert f"at READ COMMITTED, and this transaction is at {level}" in caplog.text
        with pytest.raises(WrongIsolation):
            aggregates.record("acme", model="gpt-5", raise_errors=True)
    assert not UsageLog.objects.exists()
