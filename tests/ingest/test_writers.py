"""Writers at the same moment: each call is recorded once, and nobody misses a seal or a mark."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Barrier, Event

import pytest
from django.db import OperationalError, connection, transaction

from aggregates.domain.calls import Call
from aggregates.ingest import Recorded, record
from aggregates.models import Organization, UsageDay, UsageLog
from aggregates.rollup import protocol
from aggregates.rollup.protocol import seal
from tests.fixtures import make_organization
from tests.ingest.conftest import DAY, MakeCall, days_and_marks, log
from tests.patience import PATIENCE
from tests.threads import in_a_thread


def record_at_once(organization: Organization, batches: list[list[Call]]) -> list[Recorded]:
    """What becomes of the batches, each in a thread and connection of its own."""
    start, results = Barrier(len(batches)), list[Recorded]()

    def writer(batch: list[Call]) -> Callable[[], None]:
        def write() -> None:
            connection.ensure_connection()
            start.wait(PATIENCE)
            results.append(record(organization, batch))

        return write

    for thread in [in_a_thread(writer(batch)) for batch in batches]:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_writers_of_overlapping_batches_record_each_call_once(call: MakeCall) -> None:
    acme = make_organization("acme")
    calls = [call(f"2025-03-{n % 28 + 1:02}T12:00Z", request_id=f"r{n}", cost="1") for n in range(400)]
    batches = [calls[:300], calls[100:][::-1], calls[::2] + calls[1::2], calls[200:] + calls[:200]]
    results = record_at_once(acme, batches)
    assert sum(result.new for result in results) == 400
    assert sum(result.already_there for result in results) == 300 + 300 + 400 + 400 - 400
    assert sorted(log("request_id")) == sorted(made.request_id for made in calls)


@pytest.mark.django_db(transaction=True)
def test_writers_of_the_same_calls_in_opposite_orders_do_not_deadlock(call: MakeCall) -> None:
    acme = make_organization("acme")
    record(acme, [call("2025-03-01T12:00Z")])  # makes the month's partition, for which they would wait in line
    calls = [call("2025-03-01T12:00Z", request_id=f"r{n}") for n in range(10_000)]
    results = record_at_once(acme, [calls, calls[::-1]])
    assert sorted(result.new for result in results) == [0, 10_000]


@pytest.mark.django_db(transaction=True)
def test_a_writer_waits_for_another_of_the_same_call_and_then_finds_it(call: MakeCall) -> None:
    acme = make_organization("acme")
    made = call("2025-03-01T12:00Z", request_id="a")
    results: list[Recorded] = []
    with transaction.atomic():
        record(acme, [made])
        thread = in_a_thread(lambda: results.append(record(acme, [made])))
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert results == [Recorded(0, 1)]
    assert log("request_id") == ["a"]


@pytest.mark.django_db(transaction=True)
def test_a_writer_whose_rival_gives_up_records_the_call(call: MakeCall) -> None:
    acme = make_organization("acme")
    made = call("2025-03-01T12:00Z", request_id="a")
    results: list[Recorded] = []
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(acme, [made])
        thread = in_a_thread(lambda: results.append(record(acme, [made])))
        thread.join(0.2)
        raise ZeroDivisionError
    thread.join()
    assert results == [Recorded(1, 0)]


@pytest.mark.django_db(transaction=True)
def test_sealing_waits_for_a_writer_and_later_ones_leave_marks(call: MakeCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SEAL_TIMEOUT", "30s")
    acme = make_organization("acme")
    record(acme, [call("2025-03-01T09:00Z")])
    sealed_at_commit: list[bool] = []
    with transaction.atomic():
        record(acme, [call("2025-03-01T10:00Z")])
        thread = in_a_thread(lambda: seal(DAY, [acme.pk]))
        thread.join(0.5)
        sealed_at_commit.append(not thread.is_alive())
    thread.join()
    assert sealed_at_commit == [False]
    assert UsageDay.objects.get().sealed_through == datetime(2025, 3, 2, tzinfo=UTC)
    assert days_and_marks()[1] == []
    record(acme, [call("2025-03-01T11:00Z")])
    assert days_and_marks()[1] == ["2025-03-01"]


@pytest.mark.django_db(transaction=True)
def test_a_writer_waits_for_sealing_and_leaves_a_mark(call: MakeCall) -> None:
    acme = make_organization("acme")
    record(acme, [call("2025-03-01T09:00Z")])
    with transaction.atomic():
        seal(DAY, [acme.pk])
        thread = in_a_thread(lambda: record(acme, [call("2025-03-01T10:00Z")]))
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert days_and_marks()[1] == ["2025-03-01"]


@pytest.mark.django_db(transaction=True)
def test_what_is_being_recorded_is_seen_by_nobody_before_it_is_all_there(call: MakeCall) -> None:
    acme = make_organization("acme")
    half, go_on = Event(), Event()

    def calls() -> Iterator[Call]:
        yield call("2025-03-01T10:00Z")
        half.set()
        assert go_on.wait(PATIENCE)
        yield call("2025-03-01T11:00Z")

    thread = in_a_thread(lambda: record(acme, calls()))
    assert half.wait(PATIENCE)
    assert not UsageLog.objects.exists()
    go_on.set()
    thread.join()
    assert UsageLog.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_while_calls_are_copied_is_an_error_of_django(call: MakeCall) -> None:
    acme = make_organization("acme")
    errors: list[Exception] = []
    reached, go_on = Event(), Event()
    pids: list[int] = []

    def calls() -> Iterator[Call]:
        yield call("2025-03-01T10:00Z")
        reached.set()
        assert go_on.wait(PATIENCE)
        for second in range(100_000):
            yield call(f"2025-03-01T10:00:{second % 60:02}Z", operation="x" * 200)

    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
        try:
            record(acme, calls())
        except OperationalError as error:
            errors.append(error)

    thread = in_a_thread(write)
    assert reached.wait(PATIENCE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", pids)
    go_on.set()
    thread.join()
    assert len(errors) == 1
    assert not UsageLog.objects.exists()
