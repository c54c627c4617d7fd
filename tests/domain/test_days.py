"""Cutting days and hours in time zones."""

from datetime import UTC, date, datetime, timedelta

import pytest

from aggregates.domain import days
from aggregates.domain.days import HOUR, Span


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("UTC", "2025-03-09", "2025-03-09T00:00", 24),
        ("America/Los_Angeles", "2025-03-08", "2025-03-08T08:00", 24),
        ("America/Los_Angeles", "2025-03-09", "2025-03-09T08:00", 23),  # clocks go forward
        ("America/Los_Angeles", "2025-11-02", "2025-11-02T07:00", 25),  # clocks go back
        ("Asia/Kolkata", "2025-03-09", "2025-03-08T18:30", 24),
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00", 23),  # clocks skip midnight
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0),  # a date that never was
        ("Asia/Kathmandu", "2025-01-01", "2024-12-31T18:15", 24),
    ],
)
def test_a_day_is_from_midnight_to_midnight_on_the_zones_clock(zone: str, day: str, start: str, hours: int) -> None:
    span = days.span_of(date.fromisoformat(day), zone)
    assert span == Span(utc(start), utc(start) + hours * HOUR)
    assert len(list(days.hours_of(date.fromisoformat(day), zone))) == hours


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
def test_days_leave_no_gap_and_no_overlap_and_every_instant_has_its_day(zone: str) -> None:
    previous = days.span_of(date(2009, 12, 31), zone)
    for day in days.dates(date(2010, 1, 1), date(2012, 1, 5)):
        span = days.span_of(day, zone)
        assert span.start == previous.end
        previous = span
        if span:
            for instant in (span.start, span.end - timedelta(microseconds=1)):
                assert days.date_of(instant, zone) == day


def test_a_date_that_the_clock_shows_twice_is_one_day() -> None:
    # St. John's set its clocks back at 00:01, to 23:01 of the day before.
    second_2330 = utc("2010-11-07T03:00")
    assert second_2330.astimezone(days.ZoneInfo("America/St_Johns")).date() == date(2010, 11, 6)
    assert days.date_of(second_2330, "America/St_Johns") == date(2010, 11, 7)


def test_dates_include_both_ends() -> None:
    assert list(days.dates(date(2024, 2, 28), date(2024, 3, 1))) == [
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
    ]
    assert list(days.dates(date(2024, 3, 1), date(2024, 2, 28))) == []
