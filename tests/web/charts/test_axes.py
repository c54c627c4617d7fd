"""Axes: every bucket has a place of its own on the wall clock, in order, whatever clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from aggregates.domain import days
from aggregates.web.charts.axes import axis_of_days, axis_of_hours


def hours(day: str, zone: str) -> list[datetime]:
    return list(days.hours_of(date.fromisoformat(day), zone))


def test_days_stand_at_their_dates() -> None:
    axis = axis_of_days([date(2025, 3, 8), date(2025, 3, 9)])

    assert axis.places == ("2025-03-08", "2025-03-09")
    assert axis.widths == (timedelta(days=1),) * 2


def test_hours_stand_at_their_wall_clock_without_an_offset() -> None:
    axis = axis_of_hours([datetime(2025, 7, 1, 6, 30, tzinfo=UTC)], "Asia/Kolkata")

    assert axis.places == ("2025-07-01T12:00:00",)
    assert axis.notes == ("",)


def test_the_hour_that_is_skipped_leaves_its_place_empty() -> None:
    axis = axis_of_hours(hours("2025-03-09", "America/Los_Angeles"), "America/Los_Angeles")

    assert len(axis.places) == 23
    assert [place[11:16] for place in axis.places[:4]] == ["00:00", "01:00", "03:00", "04:00"]
    assert set(axis.widths) == {timedelta(hours=1)}


def test_the_hour_that_repeats_shares_its_place_and_says_which_it_is() -> None:
    axis = axis_of_hours(hours("2025-11-02", "America/Los_Angeles"), "America/Los_Angeles")

    assert len(axis.places) == 25
    assert [place[11:16] for place in axis.places[:5]] == ["00:00", "01:00", "01:30", "02:00", "03:00"]
    assert axis.widths[:4] == (timedelta(hours=1), timedelta(minutes=30), timedelta(minutes=30), timedelta(hours=1))
    assert axis.notes[:4] == ("", "01:00 PDT", "01:00 PST", "")


@pytest.mark.parametrize(
    ("day", "zone", "number"),
    [
        ("2025-11-02", "America/Los_Angeles", 25),
        ("2025-04-06", "Australia/Lord_Howe", 25),  # 24.5 hours
        ("2025-10-26", "Antarctica/Troll", 26),  # clocks go back by two hours
        ("2025-10-26", "Europe/Berlin", 25),
        ("2024-11-03", "America/Havana", 25),  # back across midnight
    ],
)
def test_places_advance_and_never_fall_together(day: str, zone: str, number: int) -> None:
    instants = [hour for each in (day, str(date.fromisoformat(day) + timedelta(days=1))) for hour in hours(each, zone)]
    axis = axis_of_hours(instants, zone)
    places = [datetime.fromisoformat(place) for place in axis.places]

    assert len(hours(day, zone)) == number
    assert all(left < right for left, right in pairwise(places))
    assert all(place + width <= after for (place, after), width in zip(pairwise(places), axis.widths, strict=False))


def test_a_range_that_ends_within_the_repeated_hour_keeps_its_places_apart() -> None:
    axis = axis_of_hours(hours("2025-11-02", "America/Los_Angeles")[:3], "America/Los_Angeles")

    assert [place[11:16] for place in axis.places] == ["00:00", "01:00", "01:30"]
