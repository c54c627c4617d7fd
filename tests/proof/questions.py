"""Random questions, and what kind of question each is."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

from aggregates.domain import days
from aggregates.domain.dimensions import BY_NAME, LONG_TAIL
from aggregates.domain.measures import RANKS
from aggregates.models import Organization
from aggregates.query.usage_query import Bucket, UsageQuery
from tests.proof.scene import PAST, START, VALUES

FILTERS = (0, 0, 1, 1, 2, 3)
DIMENSIONS = (0, 1, 1, 1, 1, 2, 3, 6)  # of a breakdown
BUCKETS = (Bucket.DAY, Bucket.DAY, Bucket.DAY, Bucket.WEEK, Bucket.MONTH, Bucket.TOTAL, Bucket.TOTAL, Bucket.HOUR)


def random_question(chance: random.Random, organization: Organization, now: datetime) -> UsageQuery:
    bucket = chance.choice(BUCKETS)
    by = random_breakdown(chance)
    names = chance.sample(list(BY_NAME), chance.choice(FILTERS))
    rest = {
        "bucket": bucket,
        "by": by,
        **conditions(chance, names),
        "rank": chance.choice(("cost", "cost", *RANKS)) if by else "cost",
        "top": chance.choice((None, 1, 2, 3)) if by else None,
        "with_latency": chance.random() < 0.5,
    }
    if bucket != Bucket.HOUR and chance.random() < 0.1:
        start = now - PAST * chance.random()
        return UsageQuery(organization, start, start + PAST * chance.random() + timedelta(seconds=1), **rest)  # type: ignore[arg-type]
    today = days.date_of(now, organization.time_zone)
    last = today - timedelta(days=chance.choice((-1, 0, 0, 1, 2, chance.randrange(PAST.days))))
    length = chance.choice((1, 3, 8, 30, 60, chance.randrange(1, 60)))
    return UsageQuery.for_dates(organization, last - timedelta(days=length - 1), last, **rest)


def random_breakdown(chance: random.Random) -> tuple[str, ...]:
    """By nothing, by one dimension, or by several in any order."""
    return tuple(chance.sample(list(BY_NAME), chance.choice(DIMENSIONS)))


def conditions(chance: random.Random, names: list[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """For each dimension, a value or two to keep or to leave out."""
    found: dict[str, tuple[tuple[str, str], ...]] = {"filters": (), "excluded": ()}
    for name in names:
        values = chance.sample(list(VALUES[BY_NAME[name].column]), chance.choice((1, 1, 2)))
        found[chance.choice(("filters", "filters", "excluded"))] += tuple((name, value) for value in values)
    return found


def broad_question(chance: random.Random, organization: Organization, now: datetime) -> UsageQuery:
    """About all calls of the organization: a difference anywhere shows in the answer."""
    today = days.date_of(now, organization.time_zone)
    bucket, by = chance.choice((Bucket.DAY, Bucket.TOTAL)), random_breakdown(chance)
    return UsageQuery.for_dates(
        organization, START.date() - PAST, today + days.DAY, bucket=bucket, by=by, with_latency=True
    )


def first_of_a_tail(chance: random.Random, broad: UsageQuery) -> UsageQuery:
    """The first subjects among all calls: found by the order in which days and months are packed, where it says."""
    return replace(broad, by=(LONG_TAIL,), top=chance.choice((1, 1, 2)), rank=chance.choice(("cost", *RANKS)))


def relatives(chance: random.Random, question: UsageQuery) -> list[UsageQuery]:
    """Breakdowns of the same calls, which one statement may answer, as those of a page."""
    if question.bucket != Bucket.TOTAL or not question.by:
        return []
    return [replace(question, by=tuple(chance.sample(list(BY_NAME), len(question.by)))) for _ in range(2)]


def kind_of(question: UsageQuery) -> str:
    broken_down = ("", " and group", " and group of several dimensions")[min(len(question.by), 2)]
    filtered = ", filtered" if question.filters or question.excluded else ""
    return f"sums by {question.bucket}{broken_down}{filtered}"
