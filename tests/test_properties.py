"""What holds after any history of recordings, late and repeated calls, corrections, roll-ups and time zones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.calls import parse_call
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import Sums
from aggregates.ingest import record
from aggregates.ingest.correcting import Correction, Criteria, Delete, Unprice, correct
from aggregates.models import Organization
from aggregates.pricing.rates import Prices
from aggregates.query import platform
from aggregates.query.answer import Answer
from aggregates.query.platform import OwnDays, PlatformQuery
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup import protocol
from aggregates.rollup.day_sums import verify
from aggregates.rollup.protocol import roll_up
from aggregates.rollup.recutting import change_time_zone
from tests.fixtures import make_organization
from tests.lot import share, tries_all
from tests.small_chunks import small_chunks

LENGTH = 10  # days up to today that most of the histories play in, and one more
MONTHS = 64  # days up to today that hold a whole month, which some calls are of
USERS, MODELS, SUBJECTS = ("alice", "bob", ""), ("gpt-5", "o9"), ("s1", "s2", "s3")
# By nothing, by each dimension, by two that a grain holds, by two that none holds with a third, and by all.
BREAKDOWNS = ((), *((name,) for name in BY_NAME), ("model", "user"), ("subject", "user", "model"), tuple(BY_NAME))
STEPPED = [*product(BREAKDOWNS, (Bucket.DAY, Bucket.WEEK, Bucket.MONTH, Bucket.TOTAL))]
# Of which days and calls what is read: all of aggregates and of hours, or of the log, which all questions then share.
LIVE = ({"LIVE_DAYS": 7, "LIVE_CALLS": 0}, {"LIVE_DAYS": MONTHS + 5, "LIVE_CALLS": 20_000})
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Lord_Howe")


@dataclass(frozen=True)
class Recording:
    """Calls as so many minutes before now; some repeat the ids of others."""

    calls: tuple[tuple[int, dict[str, Any]], ...]

    def happen(self, organization: Organization) -> None:
        now = clock.now()
        record(
            organization,
            [
                parse_call({**fields, "timestamp": (now - timedelta(minutes=ago)).isoformat()})
                for ago, fields in self.calls
            ],
        )


@dataclass(frozen=True)
class RollingUp:
    force: bool
    open_days: bool
    only_some: bool

    def happen(self, organization: Organization) -> None:
        today = clock.now().date()
        some = {today - timedelta(days=ago) for ago in range(0, LENGTH, 2)} if self.only_some else None
        roll_up(force=self.force, open_days=self.open_days, dates=some)


@dataclass(frozen=True)
class Correcting:
    user: str
    correction: Correction

    def happen(self, organization: Organization) -> None:
        correct(organization, Criteria(filters=(("user", self.user),)), self.correction)


@dataclass(frozen=True)
class Moving:
    zone: str

    def happen(self, organization: Organization) -> None:
        change_time_zone(organization, self.zone)


CALLS = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(USERS),
        "model": st.sampled_from(MODELS),
        "subject_id": st.sampled_from(SUBJECTS),
        "status": st.sampled_from(["ok", "error"]),
        "input_tokens": st.integers(100, 10**9),
        "cached_tokens": st.integers(0, 100),
        "output_tokens": st.integers(0, 1000),
        "cost": st.none() | st.decimals(0, 999, places=12).map(str),
    },
    optional={"request_id": st.integers(0, 30).map(str), "latency_ms": st.integers(0, 70) | st.integers(0, 10**6)},
)
CHARGES = st.fixed_dictionaries(
    {
        "kind": st.just("charge"),
        "user_id": st.sampled_from(USERS),
        "model": st.sampled_from(MODELS),
        "subject_id": st.sampled_from(SUBJECTS),
        "cost": st.decimals(-999, 999, places=12).map(str),
    },
    optional={"request_id": st.integers(0, 30).map(str)},
)
FIELDS = st.one_of(CALLS, CALLS, CHARGES)
MOSTLY = st.sampled_from([True, True, False])
MINUTES = st.integers(-300, LENGTH * 1440) | st.integers(0, 120) | st.integers(0, MONTHS * 1440)
RECORDINGS = st.builds(Recording, st.lists(st.tuples(MINUTES, FIELDS), min_size=1, max_size=12).map(tuple))
STEPS = st.one_of(
    RECORDINGS,
    st.builds(RollingUp, st.booleans(), MOSTLY, MOSTLY.map(lambda value: not value)),
    st.builds(
        Correcting,
        st.sampled_from(USERS),
        st.sampled_from([Delete(), Unprice(), Prices(input=Decimal("1.25"), output=Decimal("0.000001"))]),
    ),
    st.builds(Moving, st.sampled_from(ZONES)),
)
EVERYTHING = RollingUp(force=False, open_days=True, only_some=False)
# All begin with something that is rolled up, or most would have no aggregates to be wrong.
HISTORIES = st.builds(lambda first, rest: [first, EVERYTHING, *rest], RECORDINGS, st.lists(STEPS, max_size=7))


@contextmanager
def played(history: list[Any], zone: str) -> Iterator[Organization]:
    """An organization after the history; afterwards nothing of it is left."""
    with transaction.atomic():
        organization = make_organization("played", zone)
        record(make_organization("stranger"), [parse_call({"timestamp": clock.now().isoformat(), "model": "o9"})])
        for step in history:
            step.happen(organization)
        yield organization
        transaction.set_rollback(True)


def ask(organization: Organization, **question: Any) -> dict[Source, Answer]:
    """The question over all days of the histories, from wherever, and from the log."""
    today = days.date_of(clock.now(), organization.time_zone)
    queries = {
        source: UsageQuery.for_dates(
            organization,
            today - timedelta(days=MONTHS + 2),
            today + timedelta(days=2),
            source=source,
            with_latency=True,
            **question,
        )
        for source in (Source.AUTO, Source.LOG)
    }
    answers = read(queries.values())
    return {source: answers[query] for source, query in queries.items()}


def total(answers: list[Answer]) -> Sums:
    return Sums.of(answer.totals for answer in answers)


@pytest.fixture(autouse=True)
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open days are rolled up to now, so that histories of minutes have something to roll up."""
    monkeypatch.setattr(protocol, "OPEN_LAG", timedelta(0))


@pytest.fixture(autouse=True)
def short_tails() -> Iterator[None]:
    """Three subjects are a long tail, whose first one is found by its order."""
    with small_chunks(GROUPS=2, FIRST=1):
        yield


@pytest.mark.slow
@pytest.mark.django_db
@settings(
    max_examples=settings().max_examples if tries_all() else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=HISTORIES, zone=st.sampled_from(ZONES), part=st.integers(0, 2), live=st.sampled_from(LIVE))
def test_whatever_happened_all_ways_to_a_number_agree(
    history: list[Any], zone: str, part: int, live: dict[str, int]
) -> None:
    with override_settings(**live), played(history, zone) as organization:
        plain = ask(organization)
        whole = plain[Source.LOG].totals
        event(f"days from aggregates: {bool(plain[Source.AUTO].plan.aggregate_days)}")
        by_user = ask(organization, by=("user",), bucket=Bucket.TOTAL)[Source.AUTO]
        units = {period.unit for period in by_user.plan.periods}
        event(f"whole: {sorted(units)}")
        event(f"open days in part from aggregates: {bool(plain[Source.AUTO].plan.head_days)}")

        for by, bucket in share(STEPPED, part, 3):
            answers = ask(organization, by=by, bucket=bucket)
            assert answers[Source.AUTO].rows == answers[Source.LOG].rows, (by, bucket)
            assert answers[Source.AUTO].totals == whole, "the sum of days, and of groups, is the total"
        for by in (("subject",), ("user", "model")):
            answers = ask(organization, by=by, top=1)
            assert answers[Source.AUTO].rows == answers[Source.LOG].rows, by
            for source, answer in answers.items():
                assert answer.totals == whole, f"the first group and Other add up to the total, {by}, {source}"
        several, single = (ask(organization, by=by, bucket=Bucket.TOTAL) for by in (("user", "model"), ("user",)))
        for row in single[Source.LOG].rows:
            of_user = [each.sums for each in several[Source.AUTO].rows if each.group[0] == row.key]
            assert Sums.of(of_user) == row.sums, "the groups of a user add up to the user"

        for by in ((), ("user",), ("tier", "model")):
            answers = ask(organization, by=by, bucket=Bucket.HOUR)
            assert answers[Source.AUTO].rows == answers[Source.LOG].rows, by
            event(f"hours from their sums: {bool(answers[Source.AUTO].plan.hours)}")
        hours = ask(organization, bucket=Bucket.HOUR)[Source.AUTO]
        for day in {row.start for row in plain[Source.AUTO].rows}:
            of_day = days.span_of(days.date_of(day, organization.time_zone), organization.time_zone)
            in_day = [row.sums for row in hours.rows if of_day.start <= row.start < of_day.end]
            expected = next(row.sums for row in plain[Source.AUTO].rows if row.start == day)
            assert sum(in_day, Sums()) == expected, "the sum of hours is the day"

        for name, values in (("user", USERS), ("model", MODELS), ("subject", SUBJECTS)):
            for source in (Source.AUTO, Source.LOG):
                parts = [ask(organization, by=("model",), filters=((name, value),))[source] for value in values]
                assert total(parts) == whole, f"a filter's parts add up to the whole: {name}, {source}"

        query = plain[Source.LOG].query
        summed = platform.read(PlatformQuery((OwnDays(query.first, query.last),)))
        assert dict(summed.by_organization).get(organization.pk, Sums()) == whole._replace(latency=None)
        for day in days.dates(query.first, query.last):
            assert verify(day, [organization.pk]) == []
