"""Questions about usage, as values."""

from datetime import UTC, date, datetime, timedelta

import pytest

from aggregates.models import Organization
from aggregates.query.usage_query import Bucket, QueryError, UsageQuery

LOS_ANGELES = Organization(pk=1, slug="la", name="LA", time_zone="America/Los_Angeles")


def test_dates_include_both_ends_in_the_organizations_zone() -> None:
    query = UsageQuery.for_dates(LOS_ANGELES, date(2025, 3, 9), date(2025, 3, 10))
    assert query.start == datetime(2025, 3, 9, 8, tzinfo=UTC)
    assert query.end == datetime(2025, 3, 11, 7, tzinfo=UTC)
    assert (query.first, query.last) == (date(2025, 3, 9), date(2025, 3, 10))


@pytest.mark.parametrize(("day", "hours"), [("2025-03-09", 23), ("2025-03-10", 24), ("2025-11-02", 25)])
def test_a_day_has_as_many_hour_buckets_as_it_lasts(day: str, hours: int) -> None:
    that = date.fromisoformat(day)
    query = UsageQuery.for_dates(LOS_ANGELES, that, that, bucket=Bucket.HOUR)
    assert len(query.buckets) == hours
    assert {later - earlier for earlier, later in zip(query.buckets, query.buckets[1:], strict=False)} == {
        timedelta(hours=1)
    }


def test_a_range_may_begin_and_end_within_a_day() -> None:
    start = datetime(2025, 3, 10, 20, tzinfo=UTC)  # 13:00 in Los Angeles
    query = UsageQuery(LOS_ANGELES, start, start + timedelta(hours=24), Bucket.HOUR)
    assert [day for day, _ in query.days] == [date(2025, 3, 10), date(2025, 3, 11)]
    assert query.buckets[0] == start
    assert len(query.buckets) == 24


def test_equal_questions_are_one() -> None:
    one, two = (UsageQuery.for_dates(LOS_ANGELES, date(2025, 1, 1), date(2025, 1, 31), by=("model",)) for _ in range(2))
    assert len({one, two}) == 1


@pytest.mark.parametrize(
    ("first", "last", "rest", "message"),
    [
        (date(2025, 1, 2), date(2025, 1, 1), {}, "The range ends before it begins."),
        (date(2000, 1, 1), date(2025, 1, 1), {}, "The range is too long: at most 3,660 days by day."),
        (
            date(2020, 1, 1),
            date(2025, 1, 1),
            {"bucket": Bucket.HOUR},
            "The range is too long: at most 1,100 days by hour.",
        ),
        (
            date(2025, 1, 1),
            date(2025, 1, 1),
            {"by": ("colour",)},
            "Unknown dimension “colour”: expected one of "
            "operation, provider, model, user, subject, project, tier, key.",
        ),
        (
            date(2025, 1, 1),
            date(2025, 1, 1),
            {"by": ("model", "user", "model")},
            "A dimension comes twice in “model, user, model”: expected each of them once.",
        ),
        (
            date(2025, 1, 1),
            date(2025, 1, 1),
            {"filters": (("tenant", "x"),)},
            "Unknown dimension “tenant”: expected one of "
            "operation, provider, model, user, subject, project, tier, key.",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    first: date, last: date, rest: dict[str, object], message: str
) -> None:
    with pytest.raises(QueryError) as refused:
        UsageQuery.for_dates(LOS_ANGELES, first, last, **rest)
    assert str(refused.value) == message
