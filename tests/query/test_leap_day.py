"""The 29th of February: in sums, at the edges of buckets, and where a year is compared with the one before."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up

ZONE = "America/Los_Angeles"  # where the 29th begins and ends at 08:00 UTC
INSTANTS = (
    "2024-02-29T07:59:59.999999Z",
    "2024-02-29T08:00Z",
    "2024-03-01T07:59:59.999999Z",
    "2024-03-01T08:00Z",
    "2023-03-01T07:59:59.999999Z",  # the 28th of the year before
)


@pytest.mark.parametrize("source", [Source.AUTO, Source.LOG])
@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        (Bucket.DAY, {"2024-02-28": 1, "2024-02-29": 2, "2024-03-01": 1}),
        (Bucket.WEEK, {"2024-02-26": 4}),
        (Bucket.MONTH, {"2024-02-01": 3, "2024-03-01": 1}),
    ],
)
def test_it_is_a_day_of_its_own_and_the_last_of_its_month(
    acme: Organization, call: Callable[..., Call], source: Source, bucket: Bucket, expected: dict[str, int]
) -> None:
    acme.time_zone = ZONE
    acme.save()
    record(acme, [call(instant) for instant in INSTANTS])
    roll_up()
    query = UsageQuery.for_dates(acme, date(2024, 2, 1), date(2024, 3, 31), bucket=bucket, source=source)

    rows = read([query])[query].rows

    assert {str(row.start)[:10]: row.sums.calls for row in rows} == expected


@pytest.mark.parametrize(
    ("first", "last", "earlier"),
    [
        (date(2024, 2, 29), date(2024, 2, 29), (date(2023, 2, 28), date(2023, 2, 28))),
        (date(2024, 2, 1), date(2024, 2, 29), (date(2023, 2, 1), date(2023, 2, 28))),
        (date(2024, 2, 29), date(2024, 3, 31), (date(2023, 2, 28), date(2023, 3, 31))),
        (date(2025, 2, 1), date(2025, 2, 28), (date(2024, 2, 1), date(2024, 2, 29))),  # a whole month
        (date(2025, 2, 2), date(2025, 2, 28), (date(2024, 2, 2), date(2024, 2, 28))),
        (date(2024, 1, 1), date(2024, 12, 31), (date(2023, 1, 1), date(2023, 12, 31))),
    ],
)
def test_a_year_earlier_has_no_day_twice(first: date, last: date, earlier: tuple[date, date]) -> None:
    before = ranges.of_days("custom", first, last, ZONE).whole_year_before

    assert (before.first, before.last) == earlier


def test_twelve_months_up_to_it_are_a_year() -> None:
    chosen = ranges.preset("12m", datetime(2024, 2, 29, 20, tzinfo=UTC), ZONE)

    assert (chosen.first, chosen.last, chosen.length) == (date(2023, 3, 1), date(2024, 2, 29), 366)
