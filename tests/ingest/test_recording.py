"""Recording: what gets into the log, once, and the marks that it leaves."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from weakref import WeakSet

import pytest
from django.db import IntegrityError, connection, transaction

from aggregates.db import clock
from aggregates.domain.calls import FIELDS, Call, parse_call
from aggregates.ingest import Recorded, record, recording
from aggregates.models import Organization, StaleDay, UsageDay, UsageLog
from aggregates.rollup.protocol import roll_up, seal
from tests.fixtures import make_organization
from tests.ingest.conftest import DAY, MakeCall, days_and_marks, log


def test_a_call_becomes_a_row_with_every_field(acme: Organization, call: MakeCall) -> None:
    fields = {
        "request_id": "r1",
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-5 \t\\N\n“x”",
        "user_id": "alice",
        "subject_id": "player",
        "project": "web",
        "status": "error",
        "service_tier": "flex",
        "kind": "call",
        "price_model": "gpt-5",
        "latency_ms": 1200,
        "input_tokens": 1_000_000_000,
        "cached_tokens": 333_333_333,
        "cache_write_tokens": 7,
        "cache_write_1h_tokens": 3,
        "output_tokens": 9,
        "reasoning_tokens": 8,
        "cost": "0.123456789012",
    }
    details = {"units": {"web_searches": 3, "code_execution_hours": 0.25}, "labels": {"team": "search", "é": "“x”"}}
    assert {"timestamp", *fields, *details} == set(FIELDS)
    sent = call("2025-03-01T12:00:00.123456+05:30", **fields, **details)._replace(key="usage_01234567")
    assert record(acme, [sent]) == Recorded(1, 0)
    row = UsageLog.objects.get()
    assert {name: getattr(row, name) for name in fields} == {**fields, "cost": Decimal("0.123456789012")}
    assert {name: getattr(row, name) for name in details} == details
    assert (row.organization, row.key) == (acme, "usage_01234567")
    assert row.timestamp == datetime(2025, 3, 1, 6, 30, 0, 123456, tzinfo=UTC)
    assert row.cost_source == "reported"
    assert row.cache_hit_rate == Decimal("0.33333333")
    assert abs((clock.now() - row.received_at).total_seconds()) < 60


def test_what_is_not_given_is_unknown(acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-03-01T12:00Z")])
    row = UsageLog.objects.get()
    assert (row.cost, row.latency_ms) == (None, None)
    assert (row.cost_source, row.status, row.cache_hit_rate) == ("none", "ok", Decimal(0))
    assert (row.operation, row.provider, row.user_id, row.subject_id, row.project) == ("",) * 5
    assert row.request_id


def test_a_request_is_recorded_once(acme: Organization, call: MakeCall) -> None:
    calls = [call("2025-03-01T12:00Z", request_id=name, cost="1") for name in ("a", "b", "a")]
    assert record(acme, calls) == Recorded(2, 1)
    assert record(acme, [call("2025-03-02T12:00Z", request_id="a", cost="9"), *calls]) == Recorded(0, 4)
    assert log("request_id", "cost") == [("a", 1), ("b", 1)]


def test_what_stands_of_a_batch_is_told_when_asked_for(acme: Organization, other: Organization, call: MakeCall) -> None:
    first = call("2025-03-31T23:59Z", request_id="a", cost="1", latency_ms=3)
    record(acme, [first, call("2025-03-01T12:00Z", request_id="not asked about")])
    record(other, [call("2025-03-01T12:00Z", request_id="b", cost="1")])
    batch = [
        call("2025-03-01T12:00Z", request_id="a", cost="2"),
        call("2025-04-01T00:00Z", request_id="a"),
        call("2025-03-01T12:00Z", request_id="b"),
    ]

    assert record(acme, batch, return_existing=True) == Recorded(2, 1, {"2025-03 a": first})
    assert record(acme, batch[1:2]) == Recorded(0, 1)


def test_calls_without_ids_are_all_recorded(acme: Organization, call: MakeCall) -> None:
    calls = [call("2025-03-01T12:00Z")] * 3
    assert [record(acme, calls), record(acme, calls)] == [Recorded(3, 0)] * 2
    assert len(set(log("request_id"))) == 6


def test_ids_that_are_made_sort_as_their_calls_times_so_that_the_index_grows_at_its_end(
    acme: Organization, call: MakeCall
) -> None:
    record(acme, [call(f"2025-03-01T12:{minute:02}Z") for minute in (3, 59, 0, 17, 2)])
    by_time = UsageLog.objects.order_by("timestamp").values_list("request_id", flat=True)
    assert list(by_time) == sorted(by_time)


def test_ids_from_content_count_repeats_and_find_the_batch_again(acme: Organization, call: MakeCall) -> None:
    twice, once = call("2025-03-01T12:00Z", cost="1"), call("2025-03-01T12:00Z", cost="2")
    named = call("2025-03-01T12:00Z", cost="1", request_id="named")
    batch = [twice, once, named, twice]
    assert record(acme, batch, ids_from_content=True) == Recorded(4, 0)
    assert record(acme, batch[::-1], ids_from_content=True) == Recorded(0, 4)
    assert record(acme, [once, twice], ids_from_content=True) == Recorded(0, 2)
    assert record(acme, [twice, twice, twice], ids_from_content=True) == Recorded(1, 2)


@pytest.mark.parametrize(
    "changed",
    [
        *({name: "x"} for name in ("operation", "provider", "model", "user_id", "subject_id", "project")),
        *({name: 2} for name in ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "latency_ms")),
        {"reasoning_tokens": 2},
        {"status": "error"},
        {"cost": "0"},
        {"cost": "0.000000000001"},
        {"timestamp": "2025-03-01T12:00:00.000001Z"},
    ],
    ids=str,
)
def test_a_difference_in_content_makes_another_id(acme: Organization, call: MakeCall, changed: dict[str, Any]) -> None:
    fields = {"timestamp": "2025-03-01T12:00Z", "input_tokens": 10, "output_tokens": 10}
    assert record(acme, [call(**fields)], ids_from_content=True) == Recorded(1, 0)
    assert record(acme, [call(**{**fields, **changed})], ids_from_content=True) == Recorded(1, 0)


def test_every_field_is_content_or_is_said_to_be_none() -> None:
    content = set(recording.CONTENT(Call(**{name: name for name in Call._fields})))  # type: ignore[arg-type]
    told_otherwise = {"request_id", "timestamp", "cost", "cache_write_1h_tokens", "kind"}
    added_later = {"service_tier", "units", "labels", "price_model"}
    assert content | told_otherwise | added_later == set(FIELDS)


def test_content_is_told_apart_by_field(acme: Organization, call: MakeCall) -> None:
    pairs = [("a\x1fb", "c"), ("a", "b\x1fc"), ("a|b", "c"), ("a", "b|c"), ("a\n", "b"), ("a", "\tb"), ("ab", "")]
    calls = [call("2025-03-01T12:00Z", operation=one, provider=other) for one, other in pairs]
    contents = {(made.operation, made.provider) for made in calls}
    for made in calls:
        record(acme, [made], ids_from_content=True)
    assert UsageLog.objects.count() == len(contents) == 6


def test_ids_from_content_sort_by_time(acme: Organization, call: MakeCall) -> None:
    times = ["2001-01-01T00:00Z", "2004-11-03T19:53:47.775Z", "2025-03-01T12:00Z", "2025-03-01T12:00:00.000001Z"]
    record(acme, [call(time) for time in times], ids_from_content=True)
    assert log("request_id") == sorted(log("request_id"))


def test_organizations_do_not_meet(acme: Organization, other: Organization, call: MakeCall) -> None:
    batch = [call("2025-03-01T12:00Z", request_id="a"), call("2025-03-01T12:00Z")]
    record(acme, batch, ids_from_content=True)
    roll_up()
    assert record(other, batch, ids_from_content=True) == Recorded(2, 0)
    assert UsageLog.objects.filter(organization=acme).count() == 2
    assert UsageDay.objects.get(organization=other).sealed_through is None
    assert not StaleDay.objects.exists()


def test_nothing_is_recorded_of_no_calls(acme: Organization) -> None:
    assert record(acme, []) == Recorded(0, 0)
    assert days_and_marks() == ([], [])


def test_months_get_their_partitions(acme: Organization, call: MakeCall) -> None:
    times = ["2002-01-31T23:59:59.999999Z", "2002-02-01T00:00Z", "2003-07-01T00:30+02:00", "2003-07-01T00:00Z"]
    assert record(acme, [call(time) for time in times]) == Recorded(4, 0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM aggregates_usagelog ORDER BY timestamp")
        partitions = [name.removeprefix("aggregates_usagelog_") for (name,) in cursor.fetchall()]
    assert partitions == ["2002_01", "2002_02", "2003_06", "2003_07"]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", ["2025-03-01", "2025-03-02"]),
        ("America/Los_Angeles", ["2025-02-28", "2025-03-01"]),
        ("Asia/Kolkata", ["2025-03-01", "2025-03-02"]),
        ("Pacific/Kiritimati", ["2025-03-01", "2025-03-02"]),
    ],
)
def test_days_with_calls_are_known_by_their_date_in_the_organizations_zone(
    zone: str, days: list[str], db: None, call: MakeCall
) -> None:
    record(make_organization("acme", zone), [call("2025-03-01T07:59:59Z"), call("2025-03-02T07:59:59Z")])
    assert days_and_marks() == (days, [])


def test_the_zone_is_the_one_that_the_organization_has_now(acme: Organization, call: MakeCall) -> None:
    Organization.objects.filter(pk=acme.pk).update(time_zone="Asia/Tokyo")
    record(acme, [call("2025-03-01T20:00Z")])
    assert days_and_marks() == (["2025-03-02"], [])


def test_sealed_days_are_marked_where_they_really_got_new_calls(acme: Organization, call: MakeCall) -> None:
    first = [call(f"2025-03-0{day}T12:00Z", request_id=f"r{day}") for day in (1, 2, 3)]
    record(acme, first)
    for day in (1, 2):
        seal(date(2025, 3, day), [acme.pk])
    record(acme, first)
    assert days_and_marks()[1] == []
    record(acme, [*first, call("2025-03-02T13:00Z"), call("2025-03-03T13:00Z"), call("2025-03-04T13:00Z")])
    assert days_and_marks() == (["2025-03-01", "2025-03-02", "2025-03-03", "2025-03-04"], ["2025-03-02"])
    record(acme, [call("2025-03-02T14:00Z"), call("2025-03-02T15:00Z")])
    assert days_and_marks()[1] == ["2025-03-02"] * 2


def test_an_exception_among_the_calls_leaves_nothing(acme: Organization, call: MakeCall) -> None:
    def calls() -> Iterator[Call]:
        for hour in range(10):
            yield call(f"2002-05-01T{hour:02}:00Z")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record(acme, calls())
    assert not UsageLog.objects.exists()
    assert days_and_marks() == ([], [])
    assert record(acme, [call("2002-05-01T12:00Z")]) == Recorded(1, 0)


def test_an_exception_after_recording_leaves_nothing_either(acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-03-01T10:00Z")])
    seal(DAY, [acme.pk])
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(acme, [call("2025-03-01T12:00Z")])
        raise ZeroDivisionError
    assert UsageLog.objects.count() == 1
    assert days_and_marks()[1] == []


def test_two_batches_may_share_a_transaction(acme: Organization, call: MakeCall) -> None:
    with transaction.atomic():
        assert record(acme, [call("2025-03-01T12:00Z", request_id="a")]) == Recorded(1, 0)
        assert record(acme, [call("2025-03-02T12:00Z", request_id="b")]) == Recorded(1, 0)
    assert log("request_id") == ["a", "b"]


def test_calls_are_taken_one_at_a_time(acme: Organization, call: MakeCall) -> None:
    """Nobody holds the batch: each call is gone before the next is made."""

    class Token(str):
        __slots__ = ("__weakref__",)

    alive: WeakSet[Token] = WeakSet()
    most = 0

    def calls() -> Iterator[Call]:
        nonlocal most
        for number in range(1000):
            token = Token(f"r{number}")
            alive.add(token)
            yield call("2025-03-01T12:00Z")._replace(request_id=token)
            most = max(most, len(alive))

    assert record(acme, calls()) == Recorded(1000, 0)
    assert most < 10


BAD_ROWS = {
    "usage_log_texts_short": {"user_id": "x" * 257},
    "usage_log_texts_given": {"model": ""},
    "usage_log_counts_in_range": {"latency_ms": -1},
    "usage_log_cached_within_input": {"input_tokens": 5, "cached_tokens": 3, "cache_write_tokens": 3},
    "usage_log_1h_within_cache_write": {"input_tokens": 5, "cache_write_tokens": 3, "cache_write_1h_tokens": 4},
    "usage_log_reasoning_within_output": {"output_tokens": 5, "reasoning_tokens": 6},
    "usage_log_status_known": {"status": "maybe"},
    "usage_log_cost_with_source": {"cost": Decimal(1), "cost_source": "none"},
    "usage_log_cache_hit_rate_share": {"cache_hit_rate": Decimal("1.00000001")},
    "usage_log_span_named": {"parent_span": "somewhere"},
    "usage_log_rate_short": {"service_tier": "x" * 257},
    "usage_log_details_fit": {"units": ["web_searches"]},
    "usage_log_charge_is_cost": {"kind": "charge", "cost": Decimal(1), "cost_source": "reported", "input_tokens": 1},
}


def test_every_constraint_of_the_log_has_a_bad_row() -> None:
    assert set(BAD_ROWS) == {constraint.name for constraint in UsageLog._meta.constraints}


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        *BAD_ROWS.items(),
        ("usage_log_texts_short", {"request_id": "é" * 129}),
        ("usage_log_texts_given", {"request_id": ""}),
        *(
            ("usage_log_counts_in_range", {column: value})
            for column in ("input_tokens", "output_tokens", "latency_ms")
            for value in (10**9 + 1, 10**12)
        ),
        ("usage_log_1h_within_cache_write", {"cache_write_1h_tokens": -1}),
        ("usage_log_details_fit", {"labels": {"name": "x" * 40_000}}),
        ("usage_log_details_fit", {"units": {"x" * 2_000: 1}}),
        ("usage_log_details_fit", {"key": "x" * 257}),
        ("usage_log_cost_with_source", {"cost": None, "cost_source": "reported"}),
        ("usage_log_charge_is_cost", {"cost": Decimal(-1), "cost_source": "reported"}),
        ("usage_log_charge_is_cost", {"kind": "gift", "cost": Decimal(1), "cost_source": "reported"}),
        ("usage_log_charge_is_cost", {"kind": "charge"}),
        *(
            ("usage_log_charge_is_cost", {"kind": "charge", "cost": Decimal(-1), "cost_source": "reported", **more})
            for more in ({"cost_source": "table"}, {"status": "error"}, {"latency_ms": 1}, {"output_tokens": 1})
        ),
        ("usage_log_cost_with_source", {"kind": "charge", "cost": Decimal(-(10**9)), "cost_source": "reported"}),
        ("usage_log_cost_with_source", {"cost": Decimal(10**9), "cost_source": "priced"}),
        ("usage_log_cost_with_source", {"cost": Decimal(1), "cost_source": "guessed"}),
        ("usage_log_cache_hit_rate_share", {"cache_hit_rate": Decimal("-0.1")}),
    ],
)
def test_the_database_refuses_what_is_written_around_recording(
    acme: Organization, call: MakeCall, constraint: str, fields: dict[str, Any]
) -> None:
    record(acme, [call("2025-03-01T12:00Z")])
    row = UsageLog.objects.get()
    for name, value in {"request_id": "another", **fields}.items():
        setattr(row, name, value)
    row.pk, row._state.adding = None, True
    with pytest.raises(IntegrityError, match=f'"{constraint}"'), transaction.atomic():
        row.save()


@pytest.mark.parametrize("column", [field.column for field in UsageLog._meta.concrete_fields])
def test_only_what_may_not_be_known_may_be_null(acme: Organization, call: MakeCall, column: str) -> None:
    record(acme, [call("2025-03-01T12:00Z", cost="1", latency_ms=1)])
    also = ", cost_source = 'none'" if column == "cost" else ""
    statement = f"UPDATE aggregates_usagelog SET {column} = NULL{also}"
    with connection.cursor() as cursor:
        if column in ("latency_ms", "cost", "units", "labels"):
            cursor.execute(statement)
        else:
            with pytest.raises(IntegrityError, match="not-null|no partition"):
                cursor.execute(statement)


def test_a_provider_has_one_name_and_ids_are_made_from_what_was_sent(acme: Organization, call: MakeCall) -> None:
    sent = parse_call(
        {
            "timestamp": "2025-03-01T12:00:00Z",
            "model": "m",
            "provider": "openai.responses",
            "operation": "LLM",
            "input_tokens": 10,
        }
    )
    assert record(acme, [sent], ids_from_content=True) == Recorded(1, 0)
    # As versions made it that kept the provider as it was sent: importing a file of theirs again adds nothing.
    assert log("request_id", "provider", "operation", "model") == [
        ("062f46a99b3000-2f68fc0397166ed7670ac935-1", "openai", "LLM", "m")
    ]
