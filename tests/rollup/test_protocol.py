"""Rolling up: seal, roll, marks."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection, transaction

from aggregates.domain.calls import Call
from aggregates.domain.dimensions import GRAINS
from aggregates.ingest import record
from aggregates.models import DailyAggregate, DailyBreakdown, Organization, StaleDay, UsageDay
from aggregates.query.runner import read
from aggregates.query.usage_query import Source, UsageQuery
from aggregates.rollup import day_sums, protocol
from aggregates.rollup.day_sums import Mismatch, verify
from aggregates.rollup.protocol import roll_up, seal
from tests.fixtures import make_organization
from tests.patience import PATIENCE
from tests.tampering import change_breakdowns, delete_breakdowns

MakeCall = Callable[..., Call]
DAY = date(2025, 3, 1)


def tables() -> list[Any]:
    """Everything that rolling up writes, but for row ids and times."""
    columns = [field.name for field in DailyBreakdown._meta.concrete_fields if field.name != "id"]
    totals = [field.name for field in DailyAggregate._meta.concrete_fields if field.name != "id"]
    return [
        list(DailyAggregate.objects.order_by("organization", "date").values_list(*totals)),
        list(DailyBreakdown.objects.order_by(*columns).values_list(*columns)),
        list(UsageDay.objects.order_by("organization", "date").values_list("organization", "date")),
        list(StaleDay.objects.values_list("organization", "date")),
    ]


def equals_log(organization: Organization, first: date, last: date, **rest: Any) -> bool:
    auto, log = (
        UsageQuery.for_dates(organization, first, last, source=source, **rest) for source in (Source.AUTO, Source.LOG)
    )
    answers = read([auto, log])
    return answers[auto].rows == answers[log].rows


@pytest.fixture
def usage(acme: Organization, call: MakeCall) -> Organization:
    record(
        acme,
        [
            call(
                "2025-03-01T10:00Z",
                user_id="alice",
                operation="chat",
                input_tokens=100,
                cached_tokens=50,
                output_tokens=10,
                cost="0.5",
            ),
            call(
                "2025-03-01T11:00Z",
                user_id="bob",
                operation="chat",
                input_tokens=7,
                status="error",
                cost="0.000000000001",
            ),
            call("2025-03-01T12:00Z", user_id="alice", operation="search"),
            call("2025-03-02T00:00Z", user_id="alice", cost="2"),
        ],
    )
    return acme


def test_a_day_becomes_one_row_of_totals(usage: Organization) -> None:
    summary = roll_up()
    assert summary.days == 2
    assert summary.rows == DailyAggregate.objects.count() + DailyBreakdown.objects.count()
    row = DailyAggregate.objects.get(organization=usage, date=DAY)
    assert (row.total_calls, row.total_errors, row.total_unpriced_calls) == (3, 1, 1)
    assert row.total_cost == Decimal("0.500000000001")
    assert (row.total_input_tokens, row.total_cached_tokens, row.total_output_tokens) == (107, 50, 10)
    assert row.total_cache_hit_rate == Decimal("0.5")
    assert row.avg_cache_hit_rate == Decimal("0.1666666666666667")


def test_a_day_becomes_rows_of_every_grain_and_no_others(usage: Organization) -> None:
    roll_up()
    breakdowns = DailyBreakdown.objects.filter(date=DAY)
    assert set(breakdowns.values_list("grain", flat=True)) == {grain.name for grain in GRAINS}
    assert set(breakdowns.filter(grain="user").values_list("user_id", "operation", "total_calls", "total_cost")) == {
        ("alice", "", 2, Decimal("0.5")),
        ("bob", "", 1, Decimal("0.000000000001")),
    }
    for grain in GRAINS:
        assert sum(breakdowns.filter(grain=grain.name).values_list("total_calls", flat=True)) == 3


def test_rolling_up_twice_changes_nothing(usage: Organization) -> None:
    roll_up()
    before = tables()
    assert roll_up().days == 0
    assert tables() == before
    assert roll_up(force=True).days == 2
    assert tables() == before


def test_a_day_that_is_not_over_is_left_alone(acme: Organization, call: MakeCall) -> None:
    record(acme, [call(datetime.now(UTC).isoformat(), cost="1")])
    summary = roll_up(force=True)
    assert (summary.days, summary.rows, summary.busy) == (0, 0, [])
    day = UsageDay.objects.get()
    assert day.sealed_through is None
    assert day.rolled_through is None


def test_a_day_is_over_when_it_is_over_in_the_organizations_zone(db: None, call: MakeCall) -> None:
    now = datetime.now(UTC)
    zones = {
        zone: make_organization(zone.rpartition("/")[2].lower(), zone) for zone in ("Pacific/Kiritimati", "Etc/GMT+12")
    }
    for organization in zones.values():
        record(organization, [call((now - timedelta(hours=hours)).isoformat()) for hours in range(26)])
    roll_up()
    for zone, organization in zones.items():
        today = now.astimezone(ZoneInfo(zone)).date()
        states = dict(UsageDay.objects.filter(organization=organization).values_list("date", "rolled_through"))
        assert {day for day, rolled_through in states.items() if rolled_through is None} == {today}


def test_a_late_call_marks_its_day_and_the_next_run_repairs_only_that(usage: Organization, call: MakeCall) -> None:
    roll_up()
    rolled_before = UsageDay.objects.get(date=date(2025, 3, 2)).rolled_at
    record(usage, [call("2025-03-01T23:59:59.999999Z", user_id="carol", cost="1")])
    assert list(StaleDay.objects.values_list("date", flat=True)) == [DAY]
    assert roll_up().days == 1
    assert not StaleDay.objects.exists()
    assert DailyAggregate.objects.get(date=DAY).total_calls == 4
    assert UsageDay.objects.get(date=date(2025, 3, 2)).rolled_at == rolled_before


def test_groups_that_are_no_more_vanish(usage: Organization) -> None:
    roll_up()
    before = tables()
    change_breakdowns(DailyBreakdown.objects.filter(grain="user", user_id="bob"), user_id="nobody")
    assert len(verify(DAY, [usage.pk])) == 1
    roll_up(force=True)
    assert tables() == before


def test_only_the_organizations_asked_for_are_rolled_up(
    usage: Organization, other: Organization, call: MakeCall
) -> None:
    record(other, [call("2025-03-01T10:00Z")])
    assert roll_up(only=[other.pk]).days == 1
    assert set(DailyAggregate.objects.values_list("organization", flat=True)) == {other.pk}


def test_only_the_dates_asked_for_are_rolled_up(usage: Organization) -> None:
    assert roll_up(dates=[DAY, date(2025, 3, 5)]).days == 1
    assert list(DailyAggregate.objects.values_list("date", flat=True)) == [DAY]


def test_many_organizations_share_a_statement(db: None, call: MakeCall, django_assert_max_num_queries: Any) -> None:
    organizations = [make_organization(f"o{number}") for number in range(12)]
    for organization in organizations:
        record(organization, [call("2025-03-01T10:00Z", cost="1")])
    with django_assert_max_num_queries(78):
        assert roll_up().days == 12


def test_verify_finds_what_differs_and_says_where(usage: Organization) -> None:
    roll_up()
    assert verify(DAY, [usage.pk]) == []
    change_breakdowns(DailyBreakdown.objects.filter(date=DAY, grain="user", user_id="bob"), total_cost=9)
    DailyAggregate.objects.filter(date=DAY).update(total_calls=99)
    assert verify(DAY, [usage.pk]) == [
        Mismatch(usage.pk, DAY, "totals", 2),
        Mismatch(usage.pk, DAY, "user", 2),
    ]


def test_verify_leaves_out_days_that_are_not_clean(usage: Organization, call: MakeCall) -> None:
    roll_up()
    record(usage, [call("2025-03-01T13:00Z")])
    assert verify(DAY, [usage.pk]) == []


# ------------------------------------------------------------------ writers and rollers at the same moment


@pytest.fixture
def slow_writer(transactional_db: None, call: MakeCall) -> Iterator[tuple[Organization, Callable[[], None]]]:
    """Somebody who has recorded a call for DAY and has not committed yet; the second item lets them commit."""
    organization = make_organization("slow")
    record(organization, [call("2025-03-01T09:00Z", cost="1")])
    written, commit = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            record(organization, [call("2025-03-01T10:00Z", cost="2")])
            written.set()
            commit.wait(PATIENCE)
        connection.close()

    thread = Thread(target=write)
    thread.start()
    assert written.wait(PATIENCE)

    def finish() -> None:
        commit.set()
        thread.join()

    yield organization, finish
    finish()


def test_sealing_gives_way_to_a_writer_and_the_day_is_read_from_the_log(
    slow_writer: tuple[Organization, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    organization, finish = slow_writer
    monkeypatch.setattr(protocol, "SEAL_TIMEOUT", "100ms")
    assert roll_up().busy == [DAY]
    assert UsageDay.objects.get().sealed_through is None
    finish()
    assert equals_log(organization, DAY, DAY + timedelta(days=20))
    assert roll_up().days == 1
    assert DailyAggregate.objects.get().total_cost == 3
    assert equals_log(organization, DAY, DAY + timedelta(days=20))


def test_without_the_seals_wait_a_late_commit_would_be_lost(
    slow_writer: tuple[Organization, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: it shows that the tests of this file could see a broken protocol."""
    organization, finish = slow_writer
    monkeypatch.setattr(protocol, "take", lambda lock, *numbers: None)
    assert roll_up().days == 1
    finish()
    assert not equals_log(organization, DAY, DAY + timedelta(days=20))


def test_a_writer_who_comes_after_the_seal_leaves_a_mark_even_while_the_day_is_rolled(
    transactional_db: None, call: MakeCall
) -> None:
    organization = make_organization("acme")
    record(organization, [call("2025-03-01T09:00Z", cost="1")])
    seal(DAY, [organization.pk])

    def write() -> None:
        record(organization, [call("2025-03-01T10:00Z", cost="2")])
        connection.close()

    with transaction.atomic():
        protocol.roll(DAY, [organization.pk])
        thread = Thread(target=write)
        thread.start()
        thread.join()
    assert StaleDay.objects.count() == 1
    assert DailyAggregate.objects.get().total_cost == 1
    assert equals_log(organization, DAY, DAY + timedelta(days=20))
    roll_up()
    assert DailyAggregate.objects.get().total_cost == 3


def test_two_rollers_do_the_work_once(transactional_db: None, call: MakeCall) -> None:
    organization = make_organization("acme")
    record(organization, [call("2025-03-01T09:00Z", cost="1")])
    summaries: list[protocol.Summary] = []

    def run() -> None:
        summaries.append(roll_up())
        connection.close()

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(summary.days for summary in summaries) == [0, 0, 0, 1]
    assert DailyAggregate.objects.count() == 1


def test_a_roll_up_that_breaks_leaves_everything_as_it_was(
    usage: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll_up()
    before = tables()

    def broken(day: date, *, several: bool, added: bool) -> int:
        delete_breakdowns(DailyBreakdown.objects.all())
        raise OperationalError("disk full")

    monkeypatch.setattr(day_sums, "write", broken)
    with pytest.raises(OperationalError):
        roll_up(force=True)
    assert tables() == before


def test_work_is_found_without_looking_at_every_day(acme: Organization, other: Organization) -> None:
    """Every five minutes: with years of days, the few that need work are found by their indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO aggregates_usageday "
            "(organization_id, date, starts_at, ends_at, sealed_through, rolled_through, rolled_at) "
            "SELECT id, day, day, next, next, next, now() FROM aggregates_organization, "
            "generate_series('2001-01-01'::timestamptz, '2021-01-01', '1 day') AS day, "
            "LATERAL (SELECT day + interval '1 day' AS next) AS following"
        )
        cursor.execute("ANALYZE aggregates_usageday, aggregates_staleday")
        values = {"organizations": [acme.pk, other.pk], "open_days": True, "dates": None}
        cursor.execute(f"EXPLAIN {protocol.pending_statement()}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "aggregates_usageday" in plan
    assert "Seq Scan on aggregates_usageday" not in plan
    assert "usage_day_unrolled" in plan
