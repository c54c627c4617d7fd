"""The planner, without a database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from aggregates.domain import days
from aggregates.domain.periods import Period
from aggregates.models import Organization
from aggregates.query.planner import DayState, DayStates, Plan, choose_source
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery

ORGANIZATION = Organization(pk=1, slug="acme", name="Acme", time_zone="America/Los_Angeles")
NOW = datetime(2025, 3, 20, 18, tzinfo=UTC)  # the 20th, 11:00 in Los Angeles
TODAY = date(2025, 3, 20)
ROLLED = datetime(2025, 3, 20, 8, tzinfo=UTC)
UNROLLED = DayState(None, None, False)


def ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def clean(day: date, stale: bool = False) -> DayState:
    return DayState(days.span_of(day, ORGANIZATION.time_zone), ROLLED, stale, 10)


def periods(chosen: Plan) -> list[tuple[str, str]]:
    return [(period.unit, str(period.first)) for period in chosen.periods]


def plan(length: int, states: dict[date, DayState], until: date = TODAY, **rest: Any) -> Plan:
    query = UsageQuery.for_dates(ORGANIZATION, until - timedelta(days=length - 1), until, **rest)
    return choose_source(query, DayStates(states, NOW))


def all_clean(length: int) -> dict[date, DayState]:
    return {ago(number): clean(ago(number)) for number in range(1, length)} | {TODAY: UNROLLED}


def test_a_long_range_reads_clean_days_from_aggregates_and_today_from_the_log() -> None:
    chosen = plan(30, all_clean(30))
    assert chosen.aggregate_days == tuple(days.dates(ago(29), ago(1)))
    assert chosen.log_days == (TODAY,)
    assert chosen.log_spans == (days.span_of(TODAY, "America/Los_Angeles"),)
    assert chosen.rolled_at == ROLLED
    assert chosen.rolled_through == ago(1)


def test_a_stale_day_and_a_day_not_rolled_yet_are_read_from_the_log() -> None:
    chosen = plan(30, all_clean(30) | {ago(5): clean(ago(5), stale=True), ago(20): UNROLLED})
    assert chosen.log_days == (ago(20), ago(5), TODAY)
    assert len(chosen.aggregate_days) == 27
    assert len(chosen.log_spans) == 3
    assert chosen.rolled_through == ago(21)


def test_neighbouring_log_days_are_read_in_one_go() -> None:
    chosen = plan(30, all_clean(30) | {ago(1): clean(ago(1), stale=True), ago(2): UNROLLED})
    zone = "America/Los_Angeles"
    assert [(span.start, span.end) for span in chosen.log_spans] == [
        (days.midnight(ago(2), zone), days.midnight(ago(-1), zone))
    ]


def test_a_closed_day_without_usage_is_read_nowhere_but_today_is_always_read() -> None:
    chosen = plan(30, {ago(3): clean(ago(3))})
    assert chosen.aggregate_days == (ago(3),)
    assert chosen.log_days == (TODAY,)
    assert len(chosen.empty_days) == 28
    assert chosen.rolled_through == ago(1)


def test_a_range_in_the_future_is_read_from_the_log() -> None:
    chosen = plan(30, {}, until=TODAY + timedelta(days=60))
    assert len(chosen.log_days) == 30
    assert chosen.rolled_through is None


@pytest.mark.parametrize(("length", "from_log"), [(1, True), (7, True), (8, False), (365, False)])
def test_ranges_of_seven_days_or_less_are_live(length: int, from_log: bool) -> None:
    chosen = plan(length, all_clean(length))
    assert (chosen.aggregate_days == ()) == from_log


def test_the_seven_is_a_setting(settings: Any) -> None:
    settings.LIVE_DAYS = 3
    assert plan(3, all_clean(3)).aggregate_days == ()
    assert plan(4, all_clean(4)).aggregate_days != ()


def test_a_short_range_over_a_very_large_log_takes_closed_days_from_aggregates(settings: Any) -> None:
    settings.LIVE_CALLS = 59
    assert plan(7, all_clean(7)).log_days == (TODAY,)
    settings.LIVE_CALLS = 60
    assert len(plan(7, all_clean(7)).log_days) == 7


def test_calls_outside_the_range_do_not_make_it_large(settings: Any) -> None:
    settings.LIVE_CALLS = 60
    assert len(plan(7, all_clean(300)).log_days) == 7


TEN_HOURS = days.Span(days.midnight(TODAY, ORGANIZATION.time_zone), NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("state", "many"),
    [
        (DayState(TEN_HOURS, ROLLED, False, 0), False),
        (DayState(TEN_HOURS, ROLLED, False, 39_999), False),  # 4,999.9 in the hour since then, and the quarter of now
        (DayState(TEN_HOURS, ROLLED, False, 40_000), True),
        (DayState(TEN_HOURS, ROLLED, True, 4_444), False),  # read whole, 4,999.5 in eleven hours and a quarter
        (DayState(TEN_HOURS, ROLLED, True, 4_445), True),
        (DayState(TEN_HOURS, ROLLED, False, 3_999_999), True),
        (DayState(TEN_HOURS, ROLLED, False, 4_000_000), False),  # too many for one statement
    ],
)
def test_the_log_is_likely_to_have_as_many_calls_as_the_day_had_so_far(state: DayState, many: bool) -> None:
    assert plan(30, all_clean(30) | {TODAY: state}).reads_many == many


@pytest.mark.parametrize(("before", "many"), [(10_666, False), (10_667, True), (None, True)])
def test_of_a_day_of_which_nothing_is_rolled_up_it_may_have_as_many_as_of_the_day_before(
    before: int | None, many: bool
) -> None:
    yesterday = UNROLLED if before is None else replace(clean(ago(1)), calls=before)
    assert plan(30, {ago(1): yesterday, TODAY: UNROLLED}).reads_many == many


@pytest.mark.parametrize("minutes", [0, 5, 14])
def test_calls_of_the_quarter_of_an_hour_that_has_begun_count(minutes: int) -> None:
    """20,400 calls of the last 17 minutes, as of the moment that is known."""
    rolled = days.Span(TEN_HOURS.start, NOW + timedelta(minutes=minutes - 17))
    state = DayState(rolled, ROLLED, False, int((rolled.end - rolled.start).total_seconds() * 20))
    assert plan(30, all_clean(30) | {TODAY: state}).reads_many


def test_the_log_has_few_calls_of_the_future() -> None:
    assert not plan(30, {}, until=TODAY + timedelta(days=60)).reads_many


def test_hours_come_from_the_log() -> None:
    assert len(plan(30, all_clean(30), bucket=Bucket.HOUR).log_days) == 30


def test_a_part_of_a_day_comes_from_the_log() -> None:
    end = days.midnight(ago(2), "America/Los_Angeles") + timedelta(hours=5)
    query = UsageQuery(ORGANIZATION, days.midnight(ago(20), "America/Los_Angeles"), end, Bucket.TOTAL)
    chosen = choose_source(query, DayStates(all_clean(30), NOW))
    assert chosen.log_days == (ago(2),)
    assert chosen.log_spans[0].end == end
    assert len(chosen.aggregate_days) == 18


def test_a_combination_that_no_grain_holds_comes_from_the_log() -> None:
    filters = (("user", "alice"), ("subject", "s"))
    assert plan(30, all_clean(30), by=("model",), filters=filters).aggregate_days == ()
    assert plan(30, all_clean(30), filters=filters).aggregate_days != ()


def test_a_kept_day_of_which_all_is_out_of_sight_answers_by_hour() -> None:
    day, whole = ago(2), days.span_of(ago(2), "America/Los_Angeles")
    rolled = replace(whole, end=whole.start + timedelta(hours=9))
    kept = DayState(rolled, ROLLED, stale=True, calls=5, kept=True, whole=False)
    with pytest.raises(QueryError, match="Calls of 2025-03-18 are missing"):
        plan(1, {day: kept}, until=day, bucket=Bucket.HOUR)

    chosen = plan(1, {day: replace(kept, out_of_sight=True)}, until=day, bucket=Bucket.HOUR)
    assert chosen.log_spans == (replace(whole, start=rolled.end),), "what came later may be in sight"
    chosen = plan(1, {day: replace(kept, whole=True, out_of_sight=True)}, until=day, bucket=Bucket.HOUR)
    assert (chosen.log_days, chosen.empty_days, chosen.lost_days) == ((), (day,), ())


def test_the_log_can_be_insisted_on() -> None:
    chosen = plan(30, all_clean(30), source=Source.LOG)
    assert len(chosen.log_days) == 30


def test_aggregates_can_be_insisted_on_for_any_length() -> None:
    assert plan(3, all_clean(30), until=ago(1), source=Source.AGGREGATES).log_days == ()


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({}, "Not all days are rolled up: 2025-03-20. Run aggregate_day, or leave the source to us."),
        ({"bucket": Bucket.HOUR}, "Daily aggregates know no hours: ask by day, or leave the source to us."),
        (
            {"by": ("model",), "filters": (("user", "a"), ("subject", "s"))},
            "No daily aggregate holds model with user with subject: leave the source to us.",
        ),
    ],
)
def test_insisting_on_aggregates_that_cannot_answer_is_refused(rest: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as refused:
        plan(30, all_clean(30), source=Source.AGGREGATES, **rest)
    assert str(refused.value) == message


SUMMED = (
    *(Period("month", date(2025, month, 1)) for month in (2, 3)),
    *(Period("week", date(2025, 2, 24) + number * timedelta(days=7)) for number in range(3)),
)


@pytest.mark.parametrize(
    ("bucket", "by", "whole", "daily"),
    [
        # February; of March two weeks, but not the one that began in February.
        (Bucket.TOTAL, ("user",), [("month", "2025-02-01"), ("week", "2025-03-03"), ("week", "2025-03-10")], 9),
        (Bucket.WEEK, ("user",), [("week", "2025-02-24"), ("week", "2025-03-03"), ("week", "2025-03-10")], 30),
        (Bucket.MONTH, ("user",), [("month", "2025-02-01")], 23),
        (Bucket.DAY, ("user",), [], 51),
        (Bucket.TOTAL, ("model", "user"), [("month", "2025-02-01"), ("week", "2025-03-03"), ("week", "2025-03-10")], 9),
        (Bucket.TOTAL, ("subject",), [("month", "2025-02-01")], 23),  # which are not summed by week
        (Bucket.TOTAL, (), [], 51),  # one row a day already
    ],
)
def test_whole_months_and_the_weeks_beside_them_are_read_as_such(
    bucket: Bucket, by: tuple[str, ...], whole: list[tuple[str, str]], daily: int
) -> None:
    query = UsageQuery.for_dates(ORGANIZATION, date(2025, 1, 28), TODAY, bucket=bucket, by=by)
    chosen = choose_source(query, DayStates(all_clean(60), NOW, None, SUMMED))
    assert periods(chosen) == whole
    assert len(chosen.daily_days) == daily
    read_whole = {day for period in chosen.periods for day in period.dates}
    assert read_whole | {*chosen.daily_days} == {*chosen.aggregate_days, *chosen.head_days}
    assert read_whole.isdisjoint(chosen.daily_days)


@pytest.mark.parametrize("first_weekday", range(2, 8))
def test_sums_of_weeks_are_read_for_weeks_from_monday_alone(first_weekday: int) -> None:
    """A total takes them whatever weeks begin with."""
    organization = Organization(pk=1, time_zone=ORGANIZATION.time_zone, first_weekday=first_weekday)
    by_week, total = (
        choose_source(
            UsageQuery.for_dates(organization, date(2025, 1, 28), TODAY, bucket=bucket, by=("user",)),
            DayStates(all_clean(60), NOW, None, SUMMED),
        )
        for bucket in (Bucket.WEEK, Bucket.TOTAL)
    )

    assert (by_week.periods, len(by_week.daily_days)) == ((), 51)
    assert periods(total) == [("month", "2025-02-01"), ("week", "2025-03-03"), ("week", "2025-03-10")]


def test_a_range_that_ends_within_a_day_reads_all_whole_days_from_aggregates() -> None:
    """As what is compared with one that is under way: but for its last day nothing of it is read from the log."""
    end = days.midnight(ago(20), ORGANIZATION.time_zone) + timedelta(hours=9, minutes=40)
    start = days.midnight(date(2025, 2, 1), ORGANIZATION.time_zone)
    query = UsageQuery(ORGANIZATION, start, end, Bucket.TOTAL, ("user",))
    chosen = choose_source(query, DayStates(all_clean(60), NOW, None, SUMMED))

    assert chosen.log_days == (ago(20),)
    assert [(span.start, span.end) for span in chosen.log_spans] == [(end - timedelta(hours=9, minutes=40), end)]
    assert len(chosen.aggregate_days) == 27


def test_a_period_with_a_day_that_is_not_clean_is_read_by_day() -> None:
    query = UsageQuery.for_dates(ORGANIZATION, date(2025, 1, 28), TODAY, bucket=Bucket.TOTAL, by=("user",))
    late = date(2025, 3, 4)
    chosen = choose_source(query, DayStates(all_clean(60) | {late: clean(late, stale=True)}, NOW, None, SUMMED))
    assert periods(chosen) == [("month", "2025-02-01"), ("week", "2025-03-10")]
    assert late in chosen.log_days


def test_the_log_needs_no_periods() -> None:
    query = UsageQuery.for_dates(
        ORGANIZATION, date(2025, 1, 28), TODAY, bucket=Bucket.TOTAL, by=("user",), source=Source.LOG
    )
    chosen = choose_source(query, DayStates(all_clean(60), NOW, None, SUMMED))
    assert (chosen.periods, chosen.daily_days) == ((), ())
