"""A database that is slow, full of locks, read-only or gone: 503, to be sent again, and nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from aggregates.api import endpoint
from aggregates.db.locks import Lock, day_number
from aggregates.models import ApiKey, Organization, UsageDay, UsageLog
from aggregates.ops import disk
from tests.api.conftest import Sender
from tests.ingest.conftest import DAY
from tests.locking import somebody_else, waiting
from tests.log_lines import log_lines
from tests.patience import PATIENCE, wait_until
from tests.threads import in_a_thread
from tests.words import VALUE

MakeRow = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db(transaction=True)


def unavailable(response: Any) -> None:
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "Nothing of it was recorded" in response.json()["detail"]


def test_what_is_acknowledged_others_see(send: Sender, row: MakeRow) -> None:
    assert send(row(request_id="r"))["accepted"] == 1
    with somebody_else() as other:
        assert other.execute("SELECT request_id FROM aggregates_usagelog").fetchall() == [("r",)]


def test_a_lock_is_not_waited_for_too_long(send: Sender, row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LOCK_TIMEOUT", "50ms")
    body = json.dumps([row(request_id="r", cost=1)]).encode()
    with somebody_else() as sealing:
        sealing.execute("SELECT pg_advisory_xact_lock(%s, %s)", [Lock.DAY, day_number(DAY)])
        unavailable(send.raw(body))
        assert not UsageLog.objects.exists()
        assert not UsageDay.objects.exists()
    assert send.raw(body).json()["accepted"] == 1
    assert send.raw(body).json()["duplicate"] == 1


def test_a_statement_does_not_run_too_long(send: Sender, row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "STATEMENT_TIMEOUT", "50ms")
    with somebody_else() as other:
        other.execute("LOCK TABLE aggregates_apikey")
        unavailable(send.raw(b"[]"))


def test_timeouts_are_those_of_the_api_alone(send: Sender, row: MakeRow) -> None:
    send(row())
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "0")


def test_a_database_that_only_reads_is_said_to_be_unavailable(send: Sender, row: MakeRow) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with log_lines() as lines:
        response = send.raw(json.dumps(row(user_id="private")).encode())
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
    unavailable(response)
    (line,) = lines.objects
    assert "read-only transaction" in line["reason"]
    assert "private" not in lines.getvalue()
    assert send(row())["accepted"] == 1


def test_a_database_that_went_away_is_said_to_be_unavailable(send: Sender, row: MakeRow) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (ours,) = cursor.fetchone()
    with somebody_else() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [ours])
    unavailable(send.raw(json.dumps(row()).encode()))
    connection.close()  # as Django does after each request
    assert send(row())["accepted"] == 1


def test_a_month_that_is_dropped_meanwhile_is_no_failure_of_ours(
    send: Sender, row: MakeRow, acme: Organization
) -> None:
    answers: list[dict[str, Any]] = []
    rows = [row(request_id="a"), {}, row(request_id="b", timestamp="2025-04-01T12:00Z"), row(request_id="c")]
    with somebody_else() as dropping:
        dropping.execute("LOCK TABLE aggregates_usagelog IN ACCESS EXCLUSIVE MODE")
        sending = in_a_thread(lambda: answers.append(send(rows)))
        wait_until(lambda: waiting("relation = 'aggregates_usagelog'::regclass") == 1, "the sender waits for the log")
        dropping.execute("UPDATE aggregates_organization SET log_from = '2025-04-01'")
    sending.join(timeout=PATIENCE)
    (answer,) = answers
    assert (answer["accepted"], answer["duplicate"]) == (1, 0)
    assert [(rejection["index"], rejection["reason"][:30]) for rejection in answer["rejections"]] == [
        (0, "expected 2025-04-01 or later: "),
        (1, VALUE),
        (3, "expected 2025-04-01 or later: "),
    ]
    assert list(UsageLog.objects.values_list("request_id", flat=True)) == ["b"]


def test_what_fails_last_undoes_all(
    send: Sender, row: MakeRow, acme: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(disk.FOLDER, str(tmp_path))  # where it is noted that the disk was full: not for other tests
    with connection.cursor() as cursor:  # as a disk that is full when the marks are written
        cursor.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'disk full'; END $$"
        )
        cursor.execute("CREATE TRIGGER full_disk AFTER INSERT ON aggregates_usagelog EXECUTE FUNCTION full_disk()")
    try:
        unavailable(send.raw(json.dumps([row(request_id="a"), row(request_id="b")]).encode()))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION full_disk CASCADE")
    assert not UsageLog.objects.exists()
    assert ApiKey.objects.get().organization == acme
    assert send([row(request_id="a"), row(request_id="b")])["accepted"] == 2
