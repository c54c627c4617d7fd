"""The first groups of a long tail are those of the log, to the last digit, whatever the tail is like."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from aggregates.domain.calls import Call
from aggregates.domain.measures import RANKS
from aggregates.domain.periods import Period
from aggregates.ingest import record
from aggregates.models import BreakdownChunk, Organization, UsagePeriod
from aggregates.query import long_tails
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup import day_sums, period_sums, pseudonyms
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.one_worker import asked_of_one_worker
from tests.small_chunks import small_chunks

DAYS = [date(2025, 2, number) for number in (1, 2, 9, 17, 28)] + [date(2025, 3, number) for number in (4, 5, 6, 20)]
OLD, LATE = DAYS[1], DAYS[-2]
CREDIT = "-100"
USERS = ("ann", "ben", "", "ann", "cem", "dee", "ben", "eve", "ann", "fay")
LEFT_OUT = ["s-1", "s-2", "a", "b", "", "one", "nobody"]
Shape = Callable[[random.Random], dict[str, Any]]


def skewed(chance: random.Random) -> dict[str, Any]:
    nth = min(int(chance.paretovariate(0.6)), 90)
    return {"subject_id": f"s-{nth}", "cost": f"{chance.randrange(10**9)}e-9", "input_tokens": chance.randrange(900)}


def flat(chance: random.Random) -> dict[str, Any]:
    return {"subject_id": f"{chance.randrange(10**6)}", "cost": f"{chance.randrange(10**6)}e-12"}


def tied(chance: random.Random) -> dict[str, Any]:
    return {"subject_id": chance.choice("abcdefghijklmnopqrstuvwxyzäöü"), "cost": "1", "input_tokens": 7}


def free(chance: random.Random) -> dict[str, Any]:
    cost = chance.choice([None, "0", "0", "0.000000000001"])
    return {"subject_id": f"s-{chance.randrange(40)}", "cost": cost, "status": chance.choice(["ok", "error"])}


def credited(chance: random.Random) -> dict[str, Any]:
    """The dearest are paid back, and some never had a call."""
    nth = min(int(chance.paretovariate(0.7)), 60)
    if chance.random() < 0.15:
        return {"kind": "charge", "subject_id": f"s-{chance.choice([nth, nth + 100])}", "cost": CREDIT}
    return {"subject_id": f"s-{nth}" if nth < 50 else "", "cost": f"{chance.randrange(10**6)}e-4"}


def few(chance: random.Random) -> dict[str, Any]:
    return {"subject_id": chance.choice(["", "one", "two"]), "cost": f"{chance.randrange(10**6)}e-6"}


SHAPES: tuple[Shape, ...] = (skewed, flat, tied, free, credited, few)


def some_calls(call: Callable[..., Call], shape: Shape, day: date, number: int, chance: random.Random) -> list[Call]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    at = [noon + timedelta(minutes=second) for second in range(number)]
    return [
        call(moment.isoformat(), **{"model": chance.choice("xyz"), "user_id": USERS[nth % len(USERS)], **shape(chance)})
        for nth, moment in enumerate(at)
    ]


@pytest.fixture(scope="module")
def shapes(shared: None, call: Callable[..., Call]) -> Iterator[None]:
    """Organizations with a tail each: of one day the groups are packed as they once were, of another some calls came
    late, and February is summed."""
    chance = random.Random(22)
    with small_chunks():
        for shape in SHAPES:
            acme = make_organization(shape.__name__)
            record(acme, [row for day in DAYS for row in some_calls(call, shape, day, 70, chance)])
        roll_up()
        for shape in SHAPES:
            acme = Organization.objects.get(slug=shape.__name__)
            record(acme, some_calls(call, shape, LATE, 5, chance))
        BreakdownChunk.objects.filter(unit="day", first=OLD).update(
            later=None, **{f"most_{rank}": None for rank in RANKS}
        )
        yield


@pytest.fixture
def counted(shapes: None, db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[bool, int]:
    """How often the first groups were found by the order, and how often all had to be added up."""
    settings.LIVE_DAYS, settings.LIVE_CALLS = 1, 0
    counted = {True: 0, False: 0}
    rows_of = long_tails.LongTails.rows_of

    def count(self: long_tails.LongTails, query: UsageQuery) -> Any:
        rows = rows_of(self, query)
        counted[rows is not None] += 1
        return rows

    monkeypatch.setattr(long_tails.LongTails, "rows_of", count)
    return counted


def some_questions(organization: Organization, chance: random.Random, number: int) -> Iterator[UsageQuery]:
    for _ in range(number):
        first, last = sorted([date(2025, 2, 1) + timedelta(days=chance.choice([0, 0, chance.randrange(50)])), DAYS[-1]])
        subgroups = chance.random() < 0.2
        yield UsageQuery.for_dates(
            organization,
            first - timedelta(days=2),
            chance.choice([last, date(2025, 3, 2), date(2025, 2, 28)]) if first.month == 2 else last,
            bucket=chance.choice([Bucket.TOTAL, Bucket.TOTAL, Bucket.DAY, Bucket.WEEK, Bucket.MONTH]),
            by=("subject", "model") if subgroups else ("subject",),
            top=chance.choice([1, 2, 3, 5, 8, 20, 200]),
            top_within=chance.choice([1, 2]) if subgroups else None,
            rank=chance.choice(["cost", "cost", *RANKS]),
            excluded=tuple(("subject", key) for key in chance.sample(LEFT_OUT, chance.choice([0, 0, 2]))),
        )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_first_groups_are_those_of_the_log(counted: dict[bool, int], shape: Shape) -> None:
    organization = Organization.objects.get(slug=shape.__name__)
    for query in some_questions(organization, random.Random(shape.__name__), 25):
        together = [query, replace(query, top=4), replace(query, by=(), top=None, top_within=None, rank="cost")]
        with asked_of_one_worker():
            found = read(together)
        for each in together:
            logged = replace(each, source=Source.LOG)
            assert found[each].rows == read([logged])[logged].rows, each
    assert counted[True] and (counted[False] or shape is few), counted


@pytest.mark.parametrize("live_days", [1, 100])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_over_time_the_first_are_found_by_the_whole_range(
    counted: dict[bool, int], settings: Settings, shape: Shape, live_days: int
) -> None:
    """Of users and subjects, by hour, too, and with subgroups that no aggregate holds."""
    settings.LIVE_DAYS = live_days
    organization, chance = Organization.objects.get(slug=shape.__name__), random.Random(shape.__name__)
    for by in (("user",), ("user", "model"), ("subject",), ("subject", "user"), ("user", "subject")):
        for bucket in (Bucket.HOUR, Bucket.DAY, Bucket.MONTH, Bucket.TOTAL):
            query = UsageQuery.for_dates(
                organization,
                chance.choice([DAYS[0], DAYS[3]]),
                DAYS[-1],
                bucket=bucket,
                by=by,
                top=chance.choice([1, 3, 5, 20]),
                top_within=chance.choice([1, 2]) if by[1:] else None,
                rank=chance.choice(["cost", *RANKS]),
                excluded=((by[0], "ann"), (by[0], "s-1")) if chance.random() < 0.3 else (),
            )
            logged = replace(query, source=Source.LOG)
            assert (
                read([query, replace(query, by=(), top=None, top_within=None, rank="cost", excluded=())])[query].rows
                == read([logged])[logged].rows
            ), query
    assert counted[True]


def test_a_question_without_groups_has_no_first_ones(counted: dict[bool, int]) -> None:
    acme = Organization.objects.get(slug="few")
    query = UsageQuery.for_dates(acme, DAYS[0], DAYS[-1], top=2)
    assert read([query])[query].rows == read([whole := replace(query, top=None)])[whole].rows
    assert not any(counted.values())


def test_of_a_skewed_tail_the_rest_is_not_read(counted: dict[bool, int]) -> None:
    acme = Organization.objects.get(slug="skewed")
    query = UsageQuery.for_dates(acme, date(2025, 2, 1), DAYS[-1], bucket=Bucket.TOTAL, by=("subject",), top=2)
    before = read([query])[query].rows
    assert BreakdownChunk.objects.filter(organization=acme, grain="subject", part__gt=0).exclude(first=OLD).delete()[0]
    assert read([query])[query].rows == before
    assert [row.group is None for row in before] == [False, False, True]
    assert counted == {True: 2, False: 0}


def test_of_groups_that_tie_those_come_first_whose_names_do(shared: None, call: Callable[..., Call]) -> None:
    """So the same usage is packed alike, in whatever order calls came and the database adds them up."""
    names = [f"s-{number:02}" for number in range(40)]
    random.Random(7).shuffle(names)
    acme = make_organization("acme")
    with small_chunks():
        record(acme, [call(f"{DAYS[0]}T12:00:00Z", subject_id=name, cost="0") for name in names])
        roll_up()
    first, second = BreakdownChunk.objects.filter(grain="subject", unit="day", part__lte=0).order_by("-part")
    assert [*first.subject_id, *second.subject_id] == sorted(names)[:12]


def test_verifying_sees_a_bound_that_is_too_low_and_a_name_that_is_wrong(shapes: None, db: None) -> None:
    organizations = list(Organization.objects.values_list("pk", flat=True))
    assert day_sums.verify(DAYS[0], organizations) == []
    heads = BreakdownChunk.objects.filter(organization__slug="skewed", grain="subject", part=0)
    heads.filter(unit="day", first=DAYS[0]).update(most_calls=1)
    assert [(each.grain, each.rows) for each in day_sums.verify(DAYS[0], organizations)] == [("subject", 1)]
    period = Period("month", date(2025, 2, 1))
    assert period_sums.verify(period, organizations) == {}
    heads.filter(unit="month").update(later=["a"])
    assert list(period_sums.verify(period, organizations).values()) == [1]


def test_days_are_in_order_after_a_name_was_replaced(shapes: None, counted: dict[bool, int]) -> None:
    acme = Organization.objects.get(slug="skewed")
    pseudonyms.replace(acme, "s-1", "zz")
    assert day_sums.verify(DAYS[0], [acme.pk]) == []
    assert not UsagePeriod.objects.filter(organization=acme).exists()
    query = UsageQuery.for_dates(acme, DAYS[0], DAYS[-1], bucket=Bucket.TOTAL, by=("subject",), top=3)
    assert read([query])[query].keys[0] == "zz"
    assert counted == {True: 1, False: 0}
