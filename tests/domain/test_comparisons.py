"""What a range is compared with: as much time of the range before, so that flat usage never seems to change."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from aggregates.domain import days, locales, ranges
from aggregates.domain.calendars import Calendar
from aggregates.domain.ranges import ROLLING, TO_DATE, Range

ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago")
ODD = ("Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns")
HOUR = timedelta(hours=1)


def moments() -> Iterator[datetime]:
    """Every hour and a bit of days about changes of clocks, ends of months and of years."""
    for day in ((2025, 3, 9), (2025, 3, 31), (2025, 10, 27), (2025, 11, 2), (2026, 1, 1), (2026, 11, 29)):
        for hour in range(0, 24, 3):
            yield datetime(*day, hour, 1, tzinfo=UTC)
            yield datetime(*day, hour, 40, 27, 123456, tzinfo=UTC)


def dollars(of: Range, now: datetime) -> int:
    """What a dollar every hour comes to, up to now."""
    end = min(of.span.end, now + days.INSTANT)
    return _hours(end) - _hours(of.span.start)


def _hours(instant: datetime) -> int:
    """How many hours began before an instant."""
    return -((datetime(1970, 1, 1, tzinfo=UTC) - instant) // HOUR)


@pytest.mark.parametrize("zone", [*ZONES, *ODD])
@pytest.mark.parametrize("name", [*ROLLING, *TO_DATE])
def test_flat_usage_does_not_seem_to_change_at_any_time_of_the_day(name: str, zone: str) -> None:
    """But where the range before is over already: of February on the 30th of March, and where its last day is cut."""
    calendar = Calendar(first_weekday=7, first_month=4)
    seen = 0
    for now in moments():
        chosen = ranges.preset(name, now, zone, calendar)
        assert chosen.open_at == now
        for earlier, whole in (
            (chosen.before, chosen.whole_before),
            (chosen.as_far(chosen.whole_year_before), chosen.whole_year_before),
        ):
            if earlier.is_cut:
                assert earlier.elapsed == chosen.elapsed
                assert (earlier.span.start, earlier.zone) == (whole.span.start, zone)
                seen += 1
            else:
                assert earlier == whole
                assert whole.span.end - whole.span.start <= chosen.elapsed
    assert seen > 90
    if zone in ZONES and zone != "Asia/Kolkata":
        for now in moments():
            chosen = ranges.preset(name, now, zone, calendar)
            if chosen.before.is_cut:
                assert dollars(chosen, now) == dollars(chosen.before, now), now


@pytest.mark.parametrize("zone", ZONES)
def test_it_is_the_same_time_of_the_day_where_clocks_were_not_changed(zone: str) -> None:
    now = datetime(2025, 7, 16, 12, 20, tzinfo=UTC)
    for name in ("7d", "30d", "today", "week", "month"):
        chosen = ranges.preset(name, now, zone)
        local = chosen.before.span.end.astimezone(UTC) - days.INSTANT
        offset = timedelta(days=round((now - local) / timedelta(days=1)))
        assert now - local == offset
        assert chosen.before.last - chosen.before.first == chosen.last - chosen.first


@pytest.mark.parametrize(
    ("name", "now", "words"),
    [
        ("30d", "2025-07-30T09:40", "1 – 30 Jun 2025, until 09:40"),
        ("7d", "2025-07-30T09:40", "17 – 23 Jul 2025, until 09:40"),
        ("24h", "2025-07-30T09:40", "28 Jul 2025 10:00 – 29 Jul 2025 09:40"),
        ("today", "2025-07-30T09:40", "29 Jul 2025, until 09:40"),
        ("today", "2025-07-30T00:00", "29 Jul 2025, until 00:00"),
        ("week", "2025-07-30T09:40", "21 – 23 Jul 2025, until 09:40"),
        ("month", "2025-07-30T09:40", "1 – 30 Jun 2025, until 09:40"),
        ("month", "2025-03-30T09:40", "1 – 28 Feb 2025"),  # it has no more
        ("quarter", "2025-07-30T09:40", "1 – 30 Apr 2025, until 09:40"),
        ("year", "2025-07-30T09:40", "1 Jan – 29 Jul 2024, until 09:40"),  # of a leap year, as many days
        ("yesterday", "2025-07-30T09:40", "28 Jul 2025"),
        ("last_week", "2025-07-30T09:40", "14 – 20 Jul 2025"),
        ("last_month", "2025-07-30T09:40", "1 – 31 May 2025"),
        ("last_quarter", "2025-07-30T09:40", "1 Jan – 31 Mar 2025"),
        ("last_year", "2025-07-30T09:40", "1 Jan – 31 Dec 2023"),
    ],
)
def test_words_say_until_when(name: str, now: str, words: str) -> None:
    with locales.read_by("en-GB"):
        chosen = ranges.preset(name, datetime.fromisoformat(f"{now}+00:00"), "UTC")
        assert chosen.before.words == words


def test_a_range_that_is_over_is_compared_with_whole_days() -> None:
    now = datetime(2025, 7, 30, 9, 40, tzinfo=UTC)
    chosen = ranges.up_to_now("custom", date(2025, 7, 10), date(2025, 7, 19), "UTC", now)

    assert chosen.open_at is None
    assert (chosen.before.first, chosen.before.last) == (date(2025, 6, 30), date(2025, 7, 9))
    assert not chosen.before.is_cut


@pytest.mark.parametrize(
    ("first", "last", "before", "year"),
    [
        ((2025, 7, 1), (2025, 7, 31), ((2025, 6, 1), (2025, 6, 30)), ((2024, 7, 1), (2024, 7, 31))),
        ((2025, 2, 1), (2025, 2, 28), ((2025, 1, 1), (2025, 1, 31)), ((2024, 2, 1), (2024, 2, 29))),
        ((2025, 1, 1), (2025, 3, 31), ((2024, 10, 1), (2024, 12, 31)), ((2024, 1, 1), (2024, 3, 31))),
        ((2024, 1, 1), (2024, 12, 31), ((2023, 1, 1), (2023, 12, 31)), ((2023, 1, 1), (2023, 12, 31))),
        ((2025, 7, 2), (2025, 7, 31), ((2025, 6, 2), (2025, 7, 1)), ((2024, 7, 2), (2024, 7, 31))),
    ],
)
def test_whole_months_are_compared_with_whole_months(first, last, before, year) -> None:
    chosen = ranges.of_days("custom", date(*first), date(*last), "UTC")

    assert (chosen.before.first, chosen.before.last) == tuple(date(*day) for day in before)
    earlier = chosen.as_far(chosen.whole_year_before)
    assert (earlier.first, earlier.last) == tuple(date(*day) for day in year)


def test_a_month_is_a_month_also_while_it_is_under_way() -> None:
    """By its dates, too, the last of which is yet to come: it is left out."""
    now = datetime(2025, 7, 30, 9, 40, tzinfo=UTC)
    chosen = ranges.up_to_now("custom", date(2025, 7, 1), date(2025, 7, 31), "UTC", now)

    assert chosen == ranges.Range(**{**vars(ranges.preset("month", now, "UTC")), "name": "custom"})
    assert (chosen.last, chosen.through) == (date(2025, 7, 30), date(2025, 7, 31))


@pytest.mark.parametrize(
    ("first_weekday", "first_month", "name", "first", "last"),
    [
        (1, 1, "week", (2025, 7, 28), (2025, 8, 3)),
        (7, 1, "week", (2025, 7, 27), (2025, 8, 2)),
        (6, 1, "last_week", (2025, 7, 19), (2025, 7, 25)),
        (1, 1, "quarter", (2025, 7, 1), (2025, 9, 30)),
        (1, 1, "fiscal_year", (2025, 1, 1), (2025, 12, 31)),
        (1, 10, "fiscal_year", (2024, 10, 1), (2025, 9, 30)),
        (1, 7, "fiscal_year", (2025, 7, 1), (2026, 6, 30)),
        (1, 8, "last_fiscal_year", (2023, 8, 1), (2024, 7, 31)),
    ],
)
def test_periods_begin_as_the_organization_says(first_weekday, first_month, name, first, last) -> None:
    now = datetime(2025, 7, 30, 9, 40, tzinfo=UTC)
    chosen = ranges.preset(name, now, "UTC", Calendar(first_weekday, first_month))

    assert (chosen.first, chosen.through) == (date(*first), date(*last))
    assert chosen.last == min(date(*last), date(2025, 7, 30))


def test_periods_follow_each_other_without_a_gap() -> None:
    now = datetime(2025, 7, 30, 9, 40, tzinfo=UTC)
    for name in (*TO_DATE, *ranges.OVER):
        chosen = ranges.preset(name, now, "Europe/Berlin", Calendar(7, 10))
        for _ in range(30):
            earlier = chosen.shifted(-1)
            assert earlier.through + days.DAY == chosen.first
            assert (earlier.shifted(1).first, earlier.shifted(1).last) == (chosen.first, chosen.through)
            chosen = earlier


def test_what_is_over_of_a_range_is_whole_days() -> None:
    now = datetime(2025, 7, 30, 9, 40, tzinfo=UTC)
    over = ranges.preset("7d", now, "UTC").over_days

    assert over is not None
    assert (over.first, over.last, over.is_cut) == (date(2025, 7, 24), date(2025, 7, 29), False)
    assert ranges.preset("today", now, "UTC").over_days is None
    assert ranges.preset("24h", now, "UTC").over_days is None
    before = ranges.preset("7d", now, "UTC").whole_before.first_days(over.length)
    assert (before.first, before.last, before.is_cut) == (date(2025, 7, 17), date(2025, 7, 22), False)
