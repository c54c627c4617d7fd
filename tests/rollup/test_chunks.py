"""More groups than a chunk holds are packed into several, and read as before."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import BreakdownChunk, DailyBreakdown, Organization
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.chunks import GROUPS
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up

DAY, LAST = date(2025, 3, 1), date(2025, 3, 20)
USERS = 2 * GROUPS + 1


@pytest.fixture
def acme(acme: Organization, call: Callable[..., Call]) -> Organization:
    """Calls of many users on one day, one without a user, none with errors or cached tokens."""
    record(
        acme,
        [
            call(
                "2025-03-01T12:00Z",
                user_id=f"u-{number}" if number else "",
                subject_id=f"s-{number % 7}",
                input_tokens=number,
            )
            for number in range(USERS)
        ],
    )
    roll_up()
    return acme


def test_chunks_are_full_but_for_the_last(acme: Organization) -> None:
    chunks = BreakdownChunk.objects.filter(grain="user", unit="day").order_by("part")
    assert [len(chunk.total_calls) for chunk in chunks] == [GROUPS, GROUPS, 1]
    assert DailyBreakdown.objects.filter(grain="user").count() == USERS
    assert verify(DAY, [acme.pk]) == []


def test_what_would_be_nothing_but_zeros_has_no_array(acme: Organization) -> None:
    chunk = BreakdownChunk.objects.filter(grain="user", unit="day").earliest("part")
    assert (chunk.total_errors, chunk.total_cached_tokens, chunk.subject_id) == (None, None, None)
    assert chunk.total_input_tokens.count(0) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"by": ("user",)},
        {"by": ("user",), "top": 3, "rank": "tokens"},
        {"by": ("subject",), "top": 3, "rank": "tokens"},
        {"by": ("subject",), "filters": (("user", "u-77"),)},
        {"by": ("subject",), "filters": (("user", ""),)},
        {"by": ("subject",), "filters": (("user", ""), ("user", "u-500"))},
        {"by": ("user",), "excluded": (("user", "u-77"),)},
        {"by": ("user",), "filters": (("subject", "s-3"),), "excluded": (("user", ""),)},
        {"by": ("user",), "filters": (("subject", "unheard of"),)},
    ],
)
@pytest.mark.parametrize("bucket", [Bucket.TOTAL, Bucket.DAY])
def test_answers_equal_those_of_the_log(acme: Organization, asked: dict[str, Any], bucket: Bucket) -> None:
    chunked, logged = (
        UsageQuery.for_dates(acme, DAY, LAST, bucket=bucket, source=source, **asked)
        for source in (Source.AGGREGATES, Source.LOG)
    )
    answers = read([chunked, logged])
    assert not answers[chunked].plan.log_days
    assert answers[chunked].rows == answers[logged].rows
