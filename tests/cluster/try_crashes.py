"""What workers have not committed when one of them, or the coordinator, goes away: no day is clean without it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from threading import Event
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection, transaction

from aggregates.db import cluster, locks
from aggregates.db.locks import Busy
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.ingest.day_locks import lock_days
from aggregates.models import DailyAggregate, Organization, UsageDay, UsageLog
from aggregates.rollup import day_sums, protocol
from tests.cluster.limbo import control, crash, lose
from tests.fixtures import make_organization
from tests.threads import in_a_thread

MakeCall = Callable[..., Call]
DAY = date(2025, 3, 10)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def both(transactional_db: None) -> list[Organization]:
    """Two organizations, each on another worker."""
    found: dict[str, Organization] = {}
    number = 0
    while len(found) < 2:
        organization = make_organization(f"o{number}")
        number += 1
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nodename || nodeport FROM pg_dist_shard_placement "
                "WHERE shardid = get_shard_id_for_distribution_column('aggregates_usagelog', %s)",
                [organization.pk],
            )
            found.setdefault(cursor.fetchone()[0], organization)
    return list(found.values())


def unsettled() -> AbstractContextManager[object]:
    return patch.object(cluster, "settle")


def record_for(organizations: list[Organization], *calls: Call) -> None:
    with transaction.atomic():
        for organization in organizations:
            record(organization, calls)


def summed() -> int:
    return sum(DailyAggregate.objects.values_list("total_calls", flat=True))


@pytest.mark.parametrize(("settles", "found"), [(nullcontext, 4), (unsettled, 2)], ids=["settles", "does not"])
def test_calls_that_were_acknowledged_are_in_the_day_that_is_sealed_while_a_worker_is_not_back(
    both: list[Organization], call: MakeCall, settles: Callable[[], AbstractContextManager[object]], found: int
) -> None:
    record_for(both, call(f"{DAY}T10:00Z"))
    with control() as session:
        lose(session, lambda: record_for(both, call(f"{DAY}T12:00Z")))
        assert UsageLog.objects.count() == 2
        with settles():
            protocol.roll_up(dates=[DAY])
    assert UsageLog.objects.count() == 4
    assert UsageDay.objects.clean().count() == 2
    assert summed() == found  # else the proof of it would prove nothing
    if found == 4:
        assert day_sums.verify(DAY, [organization.pk for organization in both]) == []


@pytest.mark.parametrize("is_held", [True, False], ids=["waits", "does not"])
def test_whoever_rolls_up_waits_for_writers_who_did_not_see_the_seal(
    both: list[Organization], call: MakeCall, is_held: bool
) -> None:
    record_for(both, call(f"{DAY}T10:00Z"))
    pks = [organization.pk for organization in both]
    written, go_on = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            record(both[0], [call(f"{DAY}T12:00Z")])
            written.set()
            go_on.wait()

    with control() as session:
        lose(session, lambda: protocol.seal(DAY, pks))
        writer = in_a_thread(write)  # to whom the day looks open
        written.wait()
        try:
            if is_held:
                with pytest.raises(Busy):
                    protocol.roll(DAY, pks)
            else:
                with patch.object(protocol, "held_for", lambda *_: nullcontext()):
                    protocol.roll(DAY, pks)
        finally:
            go_on.set()
            writer.join()
        protocol.roll_up(dates=[DAY])
    assert UsageDay.objects.clean().count() == 2
    assert summed() == (3 if is_held else 2)


def test_a_call_is_in_the_sums_though_the_coordinator_crashed_in_the_middle_of_its_commit(
    both: list[Organization], call: MakeCall
) -> None:
    record_for(both, call(f"{DAY}T10:00Z"))
    with control() as session:
        with crash(session, lambda: record(both[0], [call(f"{DAY}T12:00Z")]), is_prepared=True):
            with pytest.raises(OperationalError, match="cannot be asked what it has"):
                protocol.roll_up(dates=[DAY])
            assert UsageDay.objects.clean().count() == 0
        protocol.roll_up(dates=[DAY])
    assert UsageLog.objects.count() == summed() == 3
    assert day_sums.verify(DAY, [organization.pk for organization in both]) == []


@pytest.mark.parametrize("is_settled", [True, False], ids=["settles", "does not"])
def test_whoever_rolls_up_waits_for_what_a_worker_still_commits(
    both: list[Organization], call: MakeCall, is_settled: bool
) -> None:
    record_for(both, call(f"{DAY}T10:00Z"))

    def delete() -> None:
        with transaction.atomic():
            lock_days(both[0], [DAY])
            UsageLog.objects.filter(organization=both[0]).delete()

    with control() as session:
        with crash(session, delete, is_prepared=False):
            if is_settled:
                with pytest.raises(OperationalError, match="has not ended"):
                    protocol.roll_up(dates=[DAY])
            else:
                with patch.object(cluster, "_are_at_work", lambda: False):
                    protocol.roll_up(dates=[DAY])
        protocol.roll_up(dates=[DAY])
    assert UsageLog.objects.count() == 1
    assert UsageDay.objects.clean().count() == 2
    assert summed() == (1 if is_settled else 2)


def test_a_roll_up_ends_where_a_worker_cannot_be_asked(both: list[Organization], call: MakeCall) -> None:
    with pytest.raises(Exception, match="cannot be asked what it has"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE pg_dist_node SET nodeport = 1 WHERE groupid = 1")
        locks.take(locks.Lock.DAY, 1)
