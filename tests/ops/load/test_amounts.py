"""A load has exactly as many calls as were asked for, on the days that were asked for."""

from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest

from aggregates.ops.load.amounts import Load, LoadError, amounts_of, shares

NOW = datetime(2025, 6, 18, 15, tzinfo=UTC)  # a Wednesday
TODAY = NOW.date()


def load(calls: int, days: int = 365, last: date = TODAY, **rest: Any) -> Load:
    return Load(calls, last - timedelta(days=days - 1), last, **{"now": NOW, **rest})


def totals(load: Load) -> list[int]:
    return [sum(number for _, number in amounts) for amounts in amounts_of(load)]


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        (10, [1, 1], [5, 5]),
        (10, [3, 1], [7, 3]),
        (1, [1, 1, 1], [0, 0, 1]),
        (0, [1, 2], [0, 0]),
        (10, [0, 1], [0, 10]),
        (10**9 + 1, [1], [10**9 + 1]),
    ],
)
def test_shares_are_whole_and_add_up(total, weights, expected):
    assert shares(total, list(accumulate(weights))) == expected


@pytest.mark.parametrize("calls", [1, 7, 1000, 123_457, 10_000_000])
@pytest.mark.parametrize("rest", [{}, {"organizations": 1}, {"organizations": 33, "days": 2}, {"days": 1}])
def test_the_number_of_calls_is_exact(calls, rest):
    assert sum(totals(load(calls, **rest))) == calls


def test_a_few_organizations_have_most_of_the_calls():
    numbers = totals(load(1_000_000, organizations=20))
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 8 * numbers[-1]
    assert all(numbers)


def test_days_follow_the_week_and_grow_over_the_year():
    for amounts in amounts_of(load(1_000_000, organizations=3)):
        by_day = dict(amounts)
        weekdays = [number for day, number in amounts if day.weekday() < 5]
        saturday = by_day[date(2025, 3, 15)]
        assert not 0.8 < saturday / by_day[date(2025, 3, 13)] < 1.2
        assert sum(weekdays[-60:]) > 1.4 * sum(weekdays[:60])


@pytest.mark.parametrize("today", [0, 1, 14_000])
def test_today_is_exact_for_the_biggest_organization(today):
    asked = load(100_000, today=today)
    biggest, second, *_ = amounts_of(asked)
    assert biggest[-1] == (TODAY, today)
    assert second == amounts_of(load(100_000))[1]
    assert sum(totals(asked)) == 100_000


def test_today_is_that_of_the_zone():
    tomorrow_in_utc = date(2025, 6, 19)  # where it is 15:00, it is midnight in Tokyo
    biggest, *_ = amounts_of(load(1000, last=tomorrow_in_utc, zone="Asia/Tokyo", today=5))
    assert biggest[-1] == (tomorrow_in_utc, 5)


def test_today_may_be_all_there_is():
    (amounts,) = amounts_of(load(50, days=1, organizations=1, today=50))
    assert amounts == [(TODAY, 50)]


@pytest.mark.parametrize(
    ("calls", "rest", "words"),
    [
        (1000, {"today": 500}, "500 calls today are more than the 247 that the biggest organization has"),
        (1000, {"today": 3, "days": 1}, "Today is the only day, and the biggest organization has 247 calls"),
        (1000, {"today": 3, "last": date(2025, 6, 17)}, "No call can be of today, 2025-06-18 in UTC"),
        (1000, {"last": date(2025, 6, 19)}, "2025-06-19, is yet to come"),
        (
            1000,
            {"last": date(2025, 7, 1), "now": datetime(2025, 6, 30, 23, tzinfo=UTC), "zone": "Asia/Tokyo"},
            "Today, 2025-07-01 in Asia/Tokyo, lies in two months of UTC",
        ),
        (1000, {"last": date(2000, 6, 1)}, "The first day would be 1999-06-03"),
    ],
)
def test_what_cannot_be_is_refused_in_words(calls, rest, words):
    with pytest.raises(LoadError, match=words):
        amounts_of(load(calls, **rest))
