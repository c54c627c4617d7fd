"""What is distributed where, new months, moves of organizations while calls come in, and a worker that is down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from io import StringIO
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, connections, transaction

from aggregates.accounts import keys
from aggregates.db.ailing import AILING
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization, UsageDay, UsageLog
from aggregates.ops import distribution
from aggregates.ops.checks.cluster import distributed
from aggregates.query.runner import read
from aggregates.query.usage_query import UsageQuery
from aggregates.rollup import day_sums, protocol, removal
from tests.fixtures import make_organization
from tests.threads import in_a_thread

MakeCall = Callable[..., Call]
DAY = date(2025, 3, 10)
WHERE = """
    SELECT shardid, nodename, nodeport FROM pg_dist_shard_placement
    WHERE shardid = get_shard_id_for_distribution_column('aggregates_usagelog', %s)
"""
pytestmark = pytest.mark.django_db(transaction=True)


def place_of(organization: Organization) -> tuple[int, str, int]:
    with connection.cursor() as cursor:
        cursor.execute(WHERE, [organization.pk])
        shard, name, port = cursor.fetchone()
        return shard, name, port


@pytest.fixture
def both(transactional_db: None) -> list[Organization]:
    """Two organizations, each on another worker."""
    found: dict[int, Organization] = {}
    for number in range(100):
        organization = make_organization(f"o{number}")
        found.setdefault(place_of(organization)[2], organization)
        if len(found) == 2:
            break
    return list(found.values())


def calls_of(organization: Organization) -> int:
    query = UsageQuery.for_dates(organization, DAY, DAY)
    return read([query])[query].totals.calls


def test_what_was_distributed_stays_as_it_is_and_nothing_is_missing(transactional_db: None) -> None:
    said = StringIO()
    call_command("distribute", stdout=said)
    assert said.getvalue() == "Everything was distributed already; nothing was changed.\n"
    assert distributed(databases=["default"]) == []


def test_before_a_migration_that_makes_a_table_nothing_is_missing_and_nothing_can_be_distributed(
    transactional_db: None,
) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_hourchunk RENAME TO not_there_yet")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'aggregates' AND name >= '0049'")
        assert distributed(databases=["default"]) == []  # migrate looks, too
        with pytest.raises(CommandError, match=r"Run manage\.py migrate first, for aggregates\.0049_hours"):
            call_command("distribute", stdout=StringIO())
        transaction.set_rollback(True)


def test_a_role_that_may_not_settle_is_told_what_it_lacks(transactional_db: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL citus.enable_ddl_propagation = off")
        cursor.execute("CREATE ROLE plain")
        cursor.execute("SET LOCAL ROLE plain")
        assert "GRANT EXECUTE" in distribution.examine().problem
        cursor.execute("SET LOCAL ROLE NONE")
        assert distribution.examine().problem == ""
        transaction.set_rollback(True)


def test_a_month_that_is_made_by_recording_is_distributed_too(both: list[Organization], call: MakeCall) -> None:
    assert record(both[0], [call("2019-05-05T10:00Z")]).new == 1
    assert distributed(databases=["default"]) == []


def test_no_organization_is_deleted_before_its_rows_are(both: list[Organization], call: MakeCall) -> None:
    record(both[0], [call(f"{DAY}T10:00Z")])
    protocol.roll_up(dates=[DAY])
    with pytest.raises(IntegrityError, match="has rows in"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_organization WHERE id = %s", [both[0].pk])
    assert removal.remove(both[0]) == 1
    assert UsageDay.objects.count() == DailyAggregate.objects.count() == UsageLog.objects.count() == 0


def made_anew() -> Organization:
    """An organization with a number that none had before, not even in earlier runs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('pg_dist_shardid_seq')")
        (number,) = cursor.fetchone()
    return Organization.objects.create(pk=number, slug="moved", name="Moved")


def test_an_organization_moves_to_another_worker_while_calls_come_in(both: list[Organization], call: MakeCall) -> None:
    moved = made_anew()
    record(moved, [call(f"{DAY}T10:00Z")])
    protocol.roll_up(dates=[DAY])
    stop, recorded = Event(), [1]

    def write() -> None:
        while not stop.is_set():
            with suppress(*AILING):  # what is tried again later, as senders do
                recorded[0] += record(moved, [call(f"{DAY}T12:00Z")]).new

    writer = in_a_thread(write)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT isolate_tenant_to_new_shard('aggregates_usagelog', %s, 'CASCADE', "
                "shard_transfer_mode => 'force_logical')",
                [moved.pk],
            )
            shard, name, port = place_of(moved)
            _, other_name, other_port = next(place for place in map(place_of, both) if place[2] != port)
            cursor.execute(
                "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'force_logical')",
                [shard, name, port, other_name, other_port],
            )
    finally:
        stop.set()
        writer.join()
    assert place_of(moved)[2] == other_port
    assert recorded[0] > 1
    assert calls_of(moved) == recorded[0]
    protocol.roll_up(dates=[DAY])
    assert day_sums.verify(DAY, [moved.pk]) == []
    assert calls_of(moved) == recorded[0] == DailyAggregate.objects.get().total_calls


@contextmanager
def unreachable(organization: Organization) -> Iterator[None]:
    """Have the coordinator look for the organization's worker where nobody is."""
    *_, port = place_of(organization)
    move = "UPDATE pg_dist_node SET nodeport = %s WHERE nodeport = %s"
    with connection.cursor() as cursor:
        cursor.execute(move, [1, port])
    connections.close_all()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(move, [port, 1])
        connections.close_all()


def test_who_is_on_another_worker_goes_on_while_one_is_down(both: list[Organization], call: MakeCall) -> None:
    here, there = both
    for organization in both:
        record(organization, [call(f"{DAY}T10:00Z")])
    with unreachable(there):
        assert record(here, [call(f"{DAY}T11:00Z")]).new == 1
        assert calls_of(here) == 2
        keys.create(there, "checkout", None)
        with pytest.raises(OperationalError):
            record(there, [call(f"{DAY}T11:00Z")])
        with pytest.raises(OperationalError):
            protocol.roll_up(dates=[DAY])
    assert record(there, [call(f"{DAY}T11:00Z")]).new == 1
    protocol.roll_up(dates=[DAY])
    assert [calls_of(organization) for organization in both] == [2, 2]
    assert UsageDay.objects.clean().count() == 2
