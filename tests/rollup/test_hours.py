"""The hours of recent days: whatever happens to a day, they are the sums over its log, or are not read."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, Delete, correct
from aggregates.models import HourChunk, Organization, UsageDay
from aggregates.query.provenance import provenance
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, NoHours, Source, UsageQuery
from aggregates.rollup import hours, protocol, pseudonyms, verification
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from aggregates.rollup.recutting import change_time_zone
from tests.fixtures import make_organization
from tests.query.test_runner import history
from tests.reading import reads_of_log

MakeCall = Callable[..., Call]
# A zone beside whole hours, an hour that is skipped, one that comes twice, and half an hour that does.
CUTS = [
    ("Asia/Kolkata", date(2025, 5, 6)),
    ("Europe/Berlin", date(2025, 3, 30)),
    ("America/New_York", date(2025, 11, 2)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
]


@pytest.fixture(autouse=True)
def of_all_days(settings: Any) -> None:
    """All days have hours, and all that have are read from them."""
    settings.LIVE_CALLS, settings.HOURLY_WEEKS = 0, 5000


@pytest.fixture
def filled(db: None, call: MakeCall) -> Iterator[Organization]:
    """Three days of Berlin, about the one on which clocks are set forward."""
    organization = make_organization("acme", "Europe/Berlin")
    record(organization, about(call, organization, date(2025, 3, 30)))
    roll_up()
    yield organization


def about(call: MakeCall, organization: Organization, day: date) -> list[Call]:
    """Calls, and a charge, on the day and those beside it."""
    zone = organization.time_zone
    first, last = (days.span_of(day + number * days.DAY, zone) for number in (-1, 1))
    fee = {"kind": "charge", "cost": "-2.5", "model": "seats", "user_id": "alice"}
    calls = [each for each in history(call, first.start, last.end, 300) if first.start <= each.timestamp < last.end]
    return [*calls, call((first.start + 9 * days.HOUR).isoformat(), **fee)]


def questions(organization: Organization, first: date, last: date, source: Source) -> list[UsageQuery]:
    """Ask by hour and by the parts of days, each with what it is by and what is kept."""
    span = days.span_of(first, organization.time_zone).start, days.span_of(last, organization.time_zone).end
    within = span[0] + 3 * days.HOUR, span[1] - timedelta(hours=2, minutes=17)
    asked: list[dict[str, Any]] = [
        {},
        {"by": ("user",), "top": 2},
        {"by": ("model", "project"), "top": 2, "top_within": 1},
        {"by": ("operation",), "filters": (("model", "o9"), ("provider", "openai"), ("provider", ""))},
        {"filters": (("user", ""),), "excluded": ()},
        {"by": ("subject",), "top": 3},  # of which there are no hours
    ]
    buckets = [(Bucket.HOUR, span), (Bucket.HOUR, within), *((bucket, within) for bucket in Bucket if bucket != "hour")]
    return [UsageQuery(organization, *of, bucket, source=source, **each) for bucket, of in buckets for each in asked]


def check(organization: Organization, first: date, last: date) -> int:
    """Compare all questions with the log; how many read hours."""
    ours, logged = (questions(organization, first, last, source) for source in (Source.AUTO, Source.LOG))
    answers = read([*ours, *logged])
    for query, of_log in zip(ours, logged, strict=True):
        assert answers[query].rows == answers[of_log].rows, query
    assert [found for day in days.dates(first, last) for found in verify(day, [organization.pk])] == []
    return sum(bool(answers[query].plan.hours) for query in ours)


@pytest.mark.parametrize(("zone", "day"), CUTS)
def test_hours_are_those_of_the_log_wherever_and_whenever_days_are_cut(
    db: None, call: MakeCall, zone: str, day: date
) -> None:
    organization = make_organization("acme", zone)
    recorded = record(organization, about(call, organization, day)).new
    roll_up()
    first, last = day - days.DAY, day + days.DAY
    assert check(organization, first, last) == 30  # all but those by subject
    with CaptureQueriesContext(connection) as queries:
        (answer,) = read([UsageQuery.for_dates(organization, first, last, bucket=Bucket.HOUR)]).values()
    assert reads_of_log(queries) == []
    assert answer.totals.rows == recorded and answer.totals.charges == 1
    record(organization, [call((days.midnight(day, zone) + timedelta(minutes=90)).isoformat(), cost="3")])  # late
    assert check(organization, first, last) == 30
    roll_up()
    assert check(organization, first, last) == 30
    change_time_zone(organization, "Asia/Kathmandu")
    assert check(organization, first, last) == 0
    roll_up()
    assert check(organization, first, last) == 30


def test_a_day_of_few_calls_has_none_and_one_that_gets_more_has(
    filled: Organization, call: MakeCall, settings: Any
) -> None:
    settings.LIVE_CALLS = 28 * 120
    roll_up(force=True)
    assert not HourChunk.objects.exists()
    record(filled, [call("2025-03-29T09:30Z") for _ in range(60)])
    roll_up()
    assert list(UsageDay.objects.filter(hours_at=F("rolled_at")).values_list("date", flat=True)) == [date(2025, 3, 29)]
    settings.LIVE_CALLS = 100
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31))


def test_hours_that_went_count_no_more_though_a_month_seems_to_be_born_later(
    db: None, call: MakeCall, settings: Any
) -> None:
    """As after a clock that ran ahead: whenever the day is rolled up, that is noted as its time."""
    organization = make_organization("acme", "Europe/Berlin")
    record(organization, about(call, organization, date(2025, 3, 30)))
    with connection.cursor() as cursor:
        cursor.execute("COMMENT ON TABLE aggregates_usagelog_2025_03 IS 'born 2999-01-01 00:00:00+00:00'")
    roll_up(force=True)
    assert HourChunk.objects.exists()
    settings.LIVE_CALLS = 28 * 120
    roll_up(force=True)
    assert not HourChunk.objects.exists()
    settings.LIVE_CALLS = 10
    assert check(organization, date(2025, 3, 29), date(2025, 3, 31)) == 0


def test_a_day_that_lacks_more_than_its_hours_is_renewed_once(filled: Organization) -> None:
    UsageDay.objects.update(contents=1, hours_at=None)
    assert protocol.renew(5).days == 3
    assert protocol.renew(5).days == 0


def test_an_open_day_has_hours_that_are_added_to(db: None, call: MakeCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "OPEN_LAG", timedelta(0))
    zone = f"Etc/GMT{clock.now().hour - 12:+}"  # where it is about noon
    organization = make_organization("acme", zone)
    today = days.date_of(clock.now(), zone)
    for _ in range(2):
        record(organization, [call(clock.now().isoformat(), cost="1")])
        roll_up(open_days=True)
    assert UsageDay.objects.get().hours_at
    assert check(organization, today, today)
    record(organization, [call((clock.now() + timedelta(minutes=1)).isoformat(), cost="1")])
    query = UsageQuery.for_dates(organization, today, today, bucket=Bucket.HOUR)
    answer = read([query])[query]
    assert answer.totals.calls == 3
    words = provenance(answer.plan, zone, answer.as_of)
    assert words.startswith("Today from hourly sums, rolled up ") and "; today live from the log since " in words


def test_days_are_said_to_be_from_hourly_sums(filled: Organization) -> None:
    query = UsageQuery.for_dates(filled, date(2025, 3, 27), date(2025, 3, 31), bucket=Bucket.HOUR)
    answer = read([query])[query]
    words = provenance(answer.plan, filled.time_zone, answer.as_of)
    assert words.startswith("3 days from hourly sums, rolled up today ") and words.endswith("; 2 days without usage.")


def test_what_is_taken_out_is_in_no_hour(filled: Organization) -> None:
    correct(filled, Criteria(filters=(("user", "alice"),)), Delete())
    roll_up()
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 30
    assert not hours.dates_with(filled, "alice")


@pytest.mark.parametrize("are_kept", [True, False])
def test_hours_are_written_before_their_days_whether_they_come_or_go(
    filled: Organization, settings: Any, are_kept: bool
) -> None:
    """In a cluster, two who write them in turns for several organizations would deadlock, whichever the dates."""
    if not are_kept:
        settings.HOURLY_WEEKS = 0
    with CaptureQueriesContext(connection) as queries:
        protocol.roll_up(dates=[date(2025, 3, 29)], force=True) if are_kept else hours.prune()
    written = [query["sql"].strip() for query in queries]
    (hours_at, *_), (days_at, *_) = (
        [number for number, sql in enumerate(written) if sql.startswith(start)]
        for start in ('DELETE FROM "aggregates_hourchunk"', 'UPDATE "aggregates_usageday" SET hours_at')
    )
    assert hours_at < days_at


def test_hours_go_after_some_weeks_and_come_where_recent_days_lack_them(filled: Organization, settings: Any) -> None:
    settings.HOURLY_WEEKS = 0
    assert hours.prune() == 3
    assert not HourChunk.objects.exists() and not UsageDay.objects.filter(hours_at__isnull=False).exists()
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 0
    roll_up(force=True)
    assert not HourChunk.objects.exists()
    settings.HOURLY_WEEKS = 5000
    assert protocol.renew(2).days == 2  # newest first
    assert not UsageDay.objects.get(date="2025-03-29").hours_at
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 30
    assert protocol.renew(2).days == 1
    assert protocol.renew(2).days == 0


def test_hours_do_not_count_once_somebody_rolls_the_day_up_who_knows_of_none(
    filled: Organization, call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(filled, [call("2025-03-30T09:30Z")])
    with monkeypatch.context() as before:
        before.setattr(hours, "replace", lambda *_: None)
        before.setattr(hours, "note", lambda *_: None)
        roll_up()
    assert HourChunk.objects.filter(date="2025-03-30").exists()
    check(filled, date(2025, 3, 29), date(2025, 3, 31))
    assert protocol.renew(5).days == 1
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 30


def test_a_name_is_in_no_hour_once_it_is_replaced(filled: Organization) -> None:
    pseudonyms.replace(filled, "alice", "user-1")
    assert not HourChunk.objects.exists()
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 0
    protocol.renew(5)
    assert not hours.dates_with(filled, "alice") and hours.dates_with(filled, "user-1")
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 30


def test_hours_that_differ_from_the_log_are_seen_and_made_again(filled: Organization) -> None:
    day = date(2025, 3, 30)
    HourChunk.objects.filter(grain="hour+user", date=day).update(total_errors=None)
    done = verification.verify([day])
    assert [(each.date, each.repaired) for each in done.differences] == [(day, True)]
    assert "hour+user in" in done.differences[0].what
    assert check(filled, date(2025, 3, 29), date(2025, 3, 31)) == 30


def test_of_days_that_lost_their_calls_hours_are_not_told(filled: Organization) -> None:
    UsageDay.objects.filter(date="2025-03-30").update(kept_at=clock.now(), kept_reason="calls")
    with pytest.raises(NoHours):
        read([UsageQuery.for_dates(filled, date(2025, 3, 29), date(2025, 3, 31), bucket=Bucket.HOUR)])
