"""Ranges: which dates and instants each name stands for, in which zone, and what came before."""

from datetime import UTC, date, datetime, timedelta

import pytest

from aggregates.domain import ranges

NOON = datetime(2025, 7, 30, 12, 20, tzinfo=UTC)
LOS_ANGELES, KOLKATA, LORD_HOWE = "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("name", "now", "zone", "first", "last"),
    [
        ("7d", NOON, "UTC", date(2025, 7, 24), date(2025, 7, 30)),
        ("30d", NOON, "UTC", date(2025, 7, 1), date(2025, 7, 30)),
        ("90d", NOON, "UTC", date(2025, 5, 2), date(2025, 7, 30)),
        ("12m", NOON, "UTC", date(2024, 7, 31), date(2025, 7, 30)),
        ("12m", datetime(2024, 2, 29, 12, tzinfo=UTC), "UTC", date(2023, 3, 1), date(2024, 2, 29)),
        ("12m", datetime(2025, 2, 28, 12, tzinfo=UTC), "UTC", date(2024, 2, 29), date(2025, 2, 28)),
        ("7d", datetime(2025, 7, 30, 3, tzinfo=UTC), LOS_ANGELES, date(2025, 7, 23), date(2025, 7, 29)),
        ("7d", datetime(2025, 7, 30, 20, tzinfo=UTC), KOLKATA, date(2025, 7, 25), date(2025, 7, 31)),
    ],
)
def test_ranges_of_days_end_with_the_local_today(name: str, now: datetime, zone: str, first: date, last: date) -> None:
    chosen = ranges.preset(name, now, zone)

    assert (chosen.first, chosen.last) == (first, last)
    assert chosen.span.start <= now < chosen.span.end


@pytest.mark.parametrize(
    ("now", "zone", "start", "end"),
    [
        (NOON, "UTC", "2025-07-29T13:00+00:00", "2025-07-30T13:00+00:00"),
        (NOON.replace(minute=0), "UTC", "2025-07-29T13:00+00:00", "2025-07-30T13:00+00:00"),
        (NOON, KOLKATA, "2025-07-29T18:00+05:30", "2025-07-30T18:00+05:30"),
        # The 24 hours are real ones, whatever the wall clock did.
        (datetime(2025, 3, 9, 18, 5, tzinfo=UTC), LOS_ANGELES, "2025-03-08T11:00-08:00", "2025-03-09T12:00-07:00"),
        (datetime(2025, 11, 2, 18, 5, tzinfo=UTC), LOS_ANGELES, "2025-11-01T12:00-07:00", "2025-11-02T11:00-08:00"),
    ],
)
def test_24_hours_are_the_current_hour_and_the_23_before(now: datetime, zone: str, start: str, end: str) -> None:
    chosen = ranges.preset("24h", now, zone)

    assert (chosen.span.start, chosen.span.end) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


def test_24_hours_begin_with_an_hour_even_where_clocks_change_by_half_of_one() -> None:
    now = datetime(2025, 4, 5, 20, 10, tzinfo=UTC)  # the day of 24.5 hours
    chosen = ranges.preset("24h", now, LORD_HOWE)

    assert timedelta(hours=23) < now - chosen.span.start <= timedelta(hours=24)
    assert chosen.span.start <= now < chosen.span.end


@pytest.mark.parametrize("name", ["7d", "30d", "90d", "12m"])
@pytest.mark.parametrize("zone", ["UTC", LOS_ANGELES])
def test_the_range_before_touches_this_one_and_has_as_many_days(name: str, zone: str) -> None:
    chosen = ranges.preset(name, datetime(2025, 3, 20, 12, tzinfo=UTC), zone)

    assert chosen.whole_before.span.end == chosen.span.start
    assert chosen.whole_before.length == chosen.length


def test_before_24_hours_come_24_hours() -> None:
    chosen = ranges.preset("24h", datetime(2025, 3, 9, 18, 5, tzinfo=UTC), LOS_ANGELES)

    assert chosen.whole_before.span.end == chosen.span.start
    assert chosen.whole_before.span.end - chosen.whole_before.span.start == timedelta(hours=24)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2025, 7, 1), date(2025, 7, 30), "1 – 30 Jul 2025"),
        (date(2025, 6, 28), date(2025, 7, 3), "28 Jun – 3 Jul 2025"),
        (date(2024, 12, 31), date(2025, 1, 2), "31 Dec 2024 – 2 Jan 2025"),
        (date(2025, 7, 5), date(2025, 7, 5), "5 Jul 2025"),
    ],
)
def test_words_name_the_dates(first: date, last: date, words: str) -> None:
    assert ranges.of_days("custom", first, last, "UTC").words == words


def test_words_of_24_hours_name_the_hours() -> None:
    assert ranges.preset("24h", NOON, "UTC").words == "29 Jul 2025 13:00 – 30 Jul 2025 12:20"  # up to now


@pytest.mark.parametrize(("days", "is_hourly"), [(1, True), (7, True), (8, False)])
def test_up_to_a_week_is_drawn_by_the_hour(days: int, is_hourly: bool) -> None:
    last = date(2025, 7, 30)

    assert ranges.of_days("custom", last - timedelta(days=days - 1), last, "UTC").is_hourly is is_hourly


def test_a_day_that_the_zone_skipped_is_stepped_over() -> None:
    after = ranges.of_days("custom", date(2011, 12, 31), date(2011, 12, 31), "Pacific/Apia")
    assert after.span
    assert after.before.first == after.before.last == date(2011, 12, 29)
    assert after.before.span.end == after.span.start
