"""The line of an earlier range: beside each bar what was there at the same time since the beginning, and all of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aggregates.domain import days, ranges
from aggregates.domain.calls import Call
from aggregates.domain.days import Span
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from aggregates.web.charts import explore
from aggregates.web.charts.earlier import Earlier, pairs_of, query_of
from tests.fixtures import make_organization

BERLIN = "Europe/Berlin"
FIRST, LAST = date(2024, 1, 1), date(2025, 12, 31)
ROLLED = date(2025, 1, 20), date(2025, 3, 31)  # others are read from the log


@pytest.fixture(scope="module")
def flat_usage(shared: None, call: Callable[..., Call]) -> None:
    """A dollar at noon of each day."""
    acme = make_organization("acme", BERLIN)
    record(acme, [call(f"{day}T12:00:00+01:00", cost="1") for day in days.dates(FIRST, LAST)])
    roll_up(dates=[*days.dates(*ROLLED)])


@pytest.fixture
def usage(flat_usage: None, acme: Organization) -> Organization:
    return acme


def paired(organization: Organization, bucket: Bucket, *bounds: str) -> Earlier:
    """Pair two ranges, each by its first and last day."""
    first, last, first_before, last_before = map(date.fromisoformat, bounds)
    now = UsageQuery.for_dates(organization, first, last, bucket=bucket)
    before = query_of(now, UsageQuery.for_dates(organization, first_before, last_before, bucket=bucket))
    from_log = replace(before, source=Source.LOG)
    found = pairs_of(now, read([before])[before])
    assert found == pairs_of(now, replace(read([from_log])[from_log], query=before))
    return found


def shown(earlier: Earlier) -> list[tuple[str, Decimal] | None]:
    return [(pair.words, pair.sums.cost) if pair else None for pair in earlier.pairs]


def test_weeks_are_cut_at_the_same_distances_from_the_start(usage: Organization) -> None:
    """10 days of which the first is a Sunday, before which there were 10 days from a Thursday on."""
    found = paired(usage, Bucket.WEEK, "2025-03-09", "2025-03-18", "2025-02-27", "2025-03-08")

    assert shown(found) == [("27 Feb 2025", 1), ("28 Feb – 6 Mar 2025", 7), ("7 – 8 Mar 2025", 2)]
    assert found.totals.cost == 10
    assert not found.rest.rows


def test_months_are_cut_at_the_same_distances_from_the_start(usage: Organization) -> None:
    """A year that begins on the last day of a month, and the 90 days before a quarter that lie in four months."""
    found = paired(usage, Bucket.MONTH, "2025-04-02", "2025-06-30", "2025-01-02", "2025-04-01")

    assert shown(found) == [("2 – 30 Jan 2025", 29), ("31 Jan – 2 Mar 2025", 31), ("3 Mar – 1 Apr 2025", 30)]
    assert found.totals.cost == 90


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (
            ("2025-02-01", "2025-03-31", "2024-12-01", "2025-01-31"),
            [("1 – 31 Dec 2024", 31), ("1 – 31 Jan 2025", 31)],
        ),
        (  # a year with a leap day, and the year after
            ("2025-01-30", "2025-03-31", "2024-01-30", "2024-03-31"),
            [("30 – 31 Jan 2024", 2), ("1 – 29 Feb 2024", 29), ("1 – 31 Mar 2024", 31)],
        ),
        (  # two thirds of a month beside as many days of a shorter one
            ("2025-03-01", "2025-03-20", "2025-02-01", "2025-02-20"),
            [("1 – 20 Feb 2025", 20)],
        ),
    ],
)
def test_whole_months_stand_beside_whole_months(
    usage: Organization, bounds: tuple[str, ...], expected: list[tuple[str, int]]
) -> None:
    found = paired(usage, Bucket.MONTH, *bounds)

    assert shown(found) == expected
    assert found.totals.cost == sum(cost for _, cost in expected)


@pytest.mark.parametrize("bucket", [Bucket.DAY, Bucket.WEEK, Bucket.MONTH])
@pytest.mark.parametrize("length", [1, 6, 7, 30, 90, 200])
@pytest.mark.parametrize("last", ["2025-03-31", "2025-11-05", "2025-12-31"])
def test_of_ranges_as_long_as_each_other_nothing_is_left_out(
    usage: Organization, bucket: Bucket, length: int, last: str
) -> None:
    end = date.fromisoformat(last)
    first = end - timedelta(days=length - 1)
    bounds = map(str, (first, end, first - timedelta(days=length), first - days.DAY))
    found = paired(usage, bucket, *bounds)

    assert sum(cost for _, cost in filter(None, shown(found))) == found.totals.cost == length
    assert None not in found.pairs


def test_of_days_each_stands_beside_the_one_as_far_from_the_start(usage: Organization) -> None:
    """February of 28 days beside January: three days are over and above; January beside February: three have none."""
    shorter = paired(usage, Bucket.DAY, "2025-02-01", "2025-02-28", "2025-01-01", "2025-01-31")
    longer = paired(usage, Bucket.DAY, "2025-01-01", "2025-01-31", "2025-02-01", "2025-02-28")

    assert shown(shorter)[-1] == ("28 Jan 2025", 1)
    assert (shorter.rest.cost, shorter.totals.cost) == (3, 31)
    assert shown(longer)[-4:] == [("28 Feb 2025", 1), None, None, None]
    assert not longer.rest.rows


def test_hours_are_paired_by_the_time_that_passed(usage: Organization) -> None:
    """The day of 25 hours beside one of 24; and the other way round, of which an hour is over and above."""
    found = paired(usage, Bucket.HOUR, "2025-10-26", "2025-10-26", "2025-10-25", "2025-10-25")
    back = paired(usage, Bucket.HOUR, "2025-10-27", "2025-10-27", "2025-10-26", "2025-10-26")

    assert [found.pairs[3], found.pairs[-1]] == [found.pairs[3], None]
    assert shown(found)[3] == ("25 Oct 2025, 03:00", 0)
    assert [pair for pair in shown(back) if pair and pair[1]] == [("26 Oct 2025, 12:00", 1)]
    assert shown(back)[3] == ("26 Oct 2025, 02:00", 0)


def test_days_that_do_not_begin_at_midnight_are_paired_by_hours(usage: Organization) -> None:
    """24 hours from 10:00 by day: the calls of noon are in the first part both times."""
    start = datetime(2025, 6, 10, 8, tzinfo=UTC)
    now = UsageQuery(usage, start, start + days.DAY, Bucket.DAY)
    before = query_of(now, UsageQuery(usage, start - days.DAY, start, Bucket.DAY))
    found = pairs_of(now, read([before])[before])

    assert shown(found) == [("9 Jun 2025", 1), ("10 Jun 2025", 0)]


def test_whole_months_are_read_as_such(usage: Organization) -> None:
    """What can be read from sums of months is not read day by day."""
    year = UsageQuery.for_dates(usage, date(2025, 1, 1), date(2025, 12, 31), bucket=Bucket.MONTH)
    before = UsageQuery.for_dates(usage, date(2024, 1, 1), date(2024, 12, 31), bucket=Bucket.MONTH)

    assert query_of(year, before) == before
    assert query_of(replace(year, start=year.start + days.DAY), before).bucket == Bucket.DAY


def drawn(selection: Selection, as_of: datetime | None = None) -> Any:
    answers = read(explore.CHART.queries(selection))
    if as_of:
        answers = {query: replace(answer, as_of=as_of) for query, answer in answers.items()}
    return explore.CHART.draw(selection, answers)


def test_a_bar_says_how_much_more_it_is_than_what_stands_beside_it(
    acme: Organization, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-03-01T10:00Z", cost="4"), call("2025-03-03T10:00Z", cost="5", model="other")])
    chosen = ranges.of_days("custom", date(2025, 3, 3), date(2025, 3, 4), "UTC")
    figure = drawn(Selection(acme, chosen, bucket="day", compare="before")).figure

    assert figure["layout"]["meta"]["differences"] == (
        "+$1.00 (+25.0%) from $4.00 · 1 Mar 2025",
        "$0.00 from $0.00 · 2 Mar 2025",
    )


def test_a_bar_that_is_not_over_is_not_compared(acme: Organization, call: Callable[..., Call]) -> None:
    record(acme, [call("2025-03-01T10:00Z", cost="4"), call("2025-03-02T10:00Z", cost="5")])
    chosen = ranges.of_days("custom", date(2025, 3, 2), date(2025, 3, 2), "UTC")
    selection = Selection(acme, chosen, bucket="day", compare="before")
    figure = drawn(selection, as_of=datetime(2025, 3, 2, 11, tzinfo=UTC)).figure

    assert figure["layout"]["meta"]["differences"] == ("Not over; before: $4.00 · 1 Mar 2025",)


def test_a_bar_that_is_not_over_is_compared_with_as_long_a_part(usage: Organization) -> None:
    now = UsageQuery.for_dates(usage, date(2025, 3, 2), date(2025, 3, 2))
    before = replace(now, start=now.start - days.DAY, end=now.start - timedelta(hours=11))
    found = pairs_of(now, read([before])[before])

    assert [pair and pair.span for pair in found.pairs] == [Span(before.start, before.end)]
    assert found.totals.cost == 1


def test_what_the_earlier_range_has_over_and_above_is_said(usage: Organization) -> None:
    now = Selection(usage, ranges.of_days("custom", date(2025, 1, 1), date(2025, 12, 31), BERLIN), None, bucket="day")
    chart = drawn(replace(now, compare="year"))

    assert chart.caption == ("The earlier range goes on after 30 Dec 2024: $1.00 more, which is not drawn.")
