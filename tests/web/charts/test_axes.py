"""Axes: every bucket stands over its own time, from its start to its end, whatever clocks and calendars do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from aggregates.domain import days, locales
from aggregates.models import Organization
from aggregates.query.usage_query import Bucket, UsageQuery
from aggregates.web.charts.axes import Axis, State, axis_of, axis_of_days

LOS_ANGELES = "America/Los_Angeles"
LATER = datetime(2030, 1, 1, tzinfo=UTC)
HOUR, DAY = 3600, 86_400


def axis(first: str, last: str, bucket: Bucket, zone: str = "UTC", as_of: datetime = LATER) -> Axis:
    organization = Organization(slug="acme", name="Acme", time_zone=zone)
    dates = map(date.fromisoformat, (first, last))
    return axis_of(UsageQuery.for_dates(organization, *dates, bucket=bucket), as_of)


def marked(axis: Axis) -> list[list[tuple[int, str]]]:
    """Each way to mark the axis: the numbers of its buckets, and its words."""
    return [list(zip(ticks.numbers, ticks.texts, strict=True)) for ticks in axis.ticks]


@pytest.mark.parametrize(
    ("first", "last", "bucket", "zone"),
    [
        ("2025-01-10", "2026-01-09", Bucket.MONTH, "UTC"),
        ("2025-01-10", "2026-01-09", Bucket.WEEK, LOS_ANGELES),
        ("2025-10-30", "2025-11-05", Bucket.DAY, LOS_ANGELES),
        ("2025-11-02", "2025-11-02", Bucket.HOUR, LOS_ANGELES),
        ("2025-03-09", "2025-03-09", Bucket.HOUR, LOS_ANGELES),
        ("2025-04-06", "2025-04-07", Bucket.HOUR, "Australia/Lord_Howe"),  # 24.5 hours
        ("2025-10-26", "2025-10-26", Bucket.HOUR, "Antarctica/Troll"),  # clocks go back by two hours
        ("2024-11-03", "2024-11-03", Bucket.HOUR, "America/Havana"),  # back across midnight
        ("2011-12-28", "2012-01-02", Bucket.DAY, "Pacific/Apia"),  # which skipped a day
    ],
)
def test_buckets_fill_the_range_without_covering_each_other(first: str, last: str, bucket: Bucket, zone: str) -> None:
    found = axis(first, last, bucket, zone)
    span = days.midnight(date.fromisoformat(first), zone), days.midnight(date.fromisoformat(last) + days.DAY, zone)

    assert found.edges[0] == 0
    assert timedelta(seconds=found.edges[-1]) == span[1] - span[0]
    assert all(width > 0 for width in found.widths)
    assert len(found.times) == len(set(found.times)) == len(found.states) == len(found.edges) - 1
    assert all(start < middle < end for middle, (start, end) in zip(found.middles, pairwise(found.edges), strict=True))


def test_months_are_as_long_as_they_are_and_say_their_dates() -> None:
    found = axis("2025-01-30", "2025-03-31", Bucket.MONTH)

    assert found.widths == [2 * DAY, 28 * DAY, 31 * DAY]
    assert found.times == ("30 – 31 Jan 2025", "1 – 28 Feb 2025", "1 – 31 Mar 2025")
    assert found.states == (State.CUT, State.WHOLE, State.WHOLE)
    assert found.caption == "30 – 31 Jan 2025 is a part of its month"


def test_weeks_are_cut_at_both_ends_of_a_range() -> None:
    found = axis("2026-02-27", "2026-03-10", Bucket.WEEK)

    assert found.widths == [3 * DAY, 7 * DAY, 2 * DAY]
    assert found.times == ("27 Feb – 1 Mar 2026", "2 – 8 Mar 2026", "9 – 10 Mar 2026")
    assert found.states == (State.CUT, State.WHOLE, State.CUT)


def test_a_month_whose_last_day_a_zone_skipped_is_whole_without_it() -> None:
    found = axis("1994-12-01", "1995-01-31", Bucket.MONTH, "Pacific/Kiritimati")

    assert found.widths == [30 * DAY, 31 * DAY]
    assert found.times == ("1 – 30 Dec 1994", "1 – 31 Jan 1995")
    assert found.states == (State.WHOLE, State.WHOLE)


def test_days_last_as_long_as_clocks_make_them() -> None:
    assert axis("2025-11-01", "2025-11-03", Bucket.DAY, LOS_ANGELES).widths == [DAY, 25 * HOUR, DAY]
    assert axis("2025-03-08", "2025-03-10", Bucket.DAY, LOS_ANGELES).widths == [DAY, 23 * HOUR, DAY]


def test_the_hour_that_comes_twice_is_two_hours_that_are_told_apart() -> None:
    found = axis("2025-11-02", "2025-11-02", Bucket.HOUR, LOS_ANGELES)

    assert found.widths == [HOUR] * 25
    assert [time.partition(", ")[2] for time in found.times[:4]] == ["00:00", "01:00 PDT", "01:00 PST", "02:00"]


def test_the_hour_that_is_skipped_leaves_no_hole() -> None:
    found = axis("2025-03-09", "2025-03-09", Bucket.HOUR, LOS_ANGELES)

    assert found.widths == [HOUR] * 23
    assert [time[-5:] for time in found.times[:4]] == ["00:00", "01:00", "03:00", "04:00"]


@pytest.mark.parametrize(
    ("bucket", "open_"),
    [
        (Bucket.HOUR, "11 Mar 2026, 14:00"),
        (Bucket.DAY, "Wednesday 11 Mar 2026"),
        (Bucket.WEEK, "9 – 11 Mar 2026"),
        (Bucket.MONTH, "1 – 11 Mar 2026"),
    ],
)
def test_the_bucket_in_which_now_is_is_not_over(bucket: Bucket, open_: str) -> None:
    found = axis("2026-03-01", "2026-03-11", bucket, as_of=datetime(2026, 3, 11, 14, 59, tzinfo=UTC))

    assert [time for time, state in zip(found.times, found.states, strict=True) if state == State.OPEN] == [open_]
    assert found.caption.endswith(f"{open_} is not over")


def test_weeks_are_marked_on_their_first_days_only() -> None:
    found = axis("2026-02-27", "2026-03-31", Bucket.DAY)
    weeks = axis("2026-02-27", "2026-03-31", Bucket.WEEK)

    assert [(3, "2 Mar<br>2026"), (10, "9 Mar"), (17, "16 Mar"), (24, "23 Mar"), (31, "30 Mar")] in marked(found)
    assert marked(weeks)[0][:2] == [(0, "27 Feb<br>2026"), (1, "2 Mar")]
    assert marked(weeks)[1][:2] == [(1, "2 Mar<br>2026"), (2, "9 Mar")]  # without the part of a week


def test_a_tick_names_the_year_where_it_changes() -> None:
    months = axis("2024-11-01", "2026-02-28", Bucket.MONTH)

    assert [text for _, text in marked(months)[0]][:4] == ["Nov<br>2024", "Dec", "Jan<br>2025", "Feb"]
    assert [(2, "Jan<br>2025"), (5, "Apr"), (8, "Jul"), (11, "Oct"), (14, "Jan<br>2026")] in marked(months)
    (every_day, *_) = marked(axis("2025-12-30", "2026-01-02", Bucket.DAY))
    assert [text for _, text in every_day] == ["30 Dec<br>2025", "31 Dec", "1 Jan<br>2026", "2 Jan"]


def test_hours_name_their_day_and_across_december_the_year() -> None:
    hours = axis("2025-12-31", "2026-01-01", Bucket.HOUR)

    assert marked(hours)[-2] == [
        (0, "00:00<br>31 Dec 2025"),
        (12, "12:00"),
        (24, "00:00<br>1 Jan 2026"),
        (36, "12:00"),
    ]
    with locales.read_by("en-US"):
        assert marked(axis("2026-03-09", "2026-03-10", Bucket.HOUR))[-2][1:3] == [
            (12, "12\u202fPM"),
            (24, "12\u202fAM<br>Tue Mar 10"),
        ]


@pytest.mark.parametrize("bucket", [Bucket.HOUR, Bucket.DAY, Bucket.WEEK, Bucket.MONTH])
@pytest.mark.parametrize("last", ["2025-01-15", "2025-01-20", "2025-04-01", "2026-12-31"])
def test_there_is_always_a_way_to_mark_an_axis(bucket: Bucket, last: str) -> None:
    first = "2026-12-01" if bucket is Bucket.HOUR and last > "2026" else "2025-01-15"
    ways = marked(axis(first, last, bucket, "Asia/Kolkata"))

    assert ways
    assert all(ways)


def test_days_of_no_zone_last_24_hours() -> None:
    found = axis_of_days([date(2025, 3, 8), date(2025, 3, 9)])

    assert found.widths == [DAY, DAY]
    assert found.states == (State.WHOLE, State.WHOLE)
