"""Those who read: in one snapshot they ask the planner and add up the log, and compare."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from threading import current_thread
from typing import Any

from django.db import connection, transaction

from aggregates.db.partitions import HOLD_LOG
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import days
from aggregates.domain.latency import BOUNDS, Latency
from aggregates.domain.measures import MEASURES, Sums
from aggregates.domain.periods import Period
from aggregates.models import Organization, UsageDay, UsagePeriod
from aggregates.query import platform as whole_platform
from aggregates.query import runner
from aggregates.query.answer import Answer
from aggregates.query.platform import OwnDays, PlatformQuery
from aggregates.query.statements import batches
from aggregates.query.usage_query import QueryError, UsageQuery
from aggregates.rollup import day_sums, period_sums
from tests.proof import plain
from tests.proof.questions import broad_question, first_of_a_tail, kind_of, random_question, relatives
from tests.proof.scene import PAST, Scene
from tests.proof.tally import Tally

BY_STANDBY = "comparisons that the standby answered"
PERCENTILES = (1, 50, 95, 100)
TOGETHER = 4  # questions of one organization in one snapshot


def read(scene: Scene, chance: random.Random, tally: Tally) -> None:
    kind = chance.random()
    if kind < 0.03:
        compare_platform(scene, chance, tally)
    elif kind < 0.06:
        verify_day(scene, chance, tally)
    else:
        compare_answers(scene, chance, tally)


def read_standby(scene: Scene, chance: random.Random, tally: Tally) -> None:
    """As others read, but from the standby where it is as new; what replay ends is done again, and counted once.

    What was written just before, to the primary, has to be there.
    """
    reader = current_thread().name
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO proof_tick VALUES (%s, 1) "
            "ON CONFLICT (reader) DO UPDATE SET number = proof_tick.number + 1 RETURNING number",
            [reader],
        )
        (written,) = cursor.fetchone()
    before = chance.getstate()

    @prefer_standby
    def compare() -> Tally:
        chance.setstate(before)
        own = Tally()
        with connection.cursor() as cursor:
            cursor.execute("SELECT number FROM proof_tick WHERE reader = %s", [reader])
            own.compare("what was written just before", got=cursor.fetchone(), expected=(written,), about=reader)
        (compare_platform if chance.random() < 0.03 else compare_answers)(scene, chance, own)
        return own

    own = compare()
    tally.add(own)
    if not own.did[BY_STANDBY]:
        tally.count("reads that the standby was not new enough for, or that replay ended")


@contextmanager
def one_snapshot(chance: random.Random, tally: Tally) -> Iterator[None]:
    """The planner's own, or that of a caller; with what is compared in it counted where a standby answered."""
    compared = tally.comparisons
    with a_snapshot(chance), connection.cursor() as cursor:
        yield
        cursor.execute("SELECT pg_is_in_recovery()")
        if cursor.fetchone()[0]:  # nobody else counts in this tally
            tally.count(BY_STANDBY, tally.comparisons - compared)


@contextmanager
def a_snapshot(chance: random.Random) -> Iterator[None]:
    if chance.random() < 0.5:
        with snapshot():
            yield
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {HOLD_LOG}")
            yield


def compare_answers(scene: Scene, chance: random.Random, tally: Tally) -> None:
    with one_snapshot(chance, tally):
        organization = Organization.objects.get(pk=chance.choice(scene.organizations).pk)
        now = scene.clock.now()
        questions = [broad := broad_question(chance, organization, now), first_of_a_tail(chance, broad)]
        questions += [random_question(chance, organization, now) for _ in range(TOGETHER - len(questions))]
        questions += [relative for question in questions for relative in relatives(chance, question)]
        refused: dict[UsageQuery, QueryError] = {}
        answers = runner.read(questions, refused)
        kept = kept_days(organization)
        for question in refused:
            tally.count("questions that kept days cannot answer")
            about = [day for day, _ in question.days if day in kept]
            tally.compare("a refusal is about kept days", got=bool(about), expected=True, about=question)
        for alike in batches({question: answer.plan for question, answer in answers.items()}):
            tally.count("comparisons of breakdowns that one statement answered", len(alike) if alike[1:] else 0)
        for question, answer in answers.items():
            expected = plain.sums_of(question)
            got = {(row.start, row.group): values(row.sums) for row in answer.rows}
            tally.compare(kind_of(question), got=got, expected=expected, about=(question, answer.plan))
            compare_latencies(answer, kept, tally)
            if kept.intersection(answer.plan.aggregate_days):
                tally.count("comparisons that read kept days")
            if answer.plan.aggregate_days:
                tally.count("comparisons that read aggregates")
            for unit in {period.unit for period in answer.plan.periods}:
                tally.count(f"comparisons that read a {unit} as a whole")
            if answer.plan.head_days:
                tally.count("comparisons that read the first part of an open day from aggregates")
            if answer.plan.aggregate_days and answer.plan.log_days:
                tally.count("comparisons that read aggregates and the log")


def compare_latencies(answer: Answer, kept: set[date], tally: Tally) -> None:
    """The sums of latencies are those of the log, and their percentiles the buckets of those of the log."""
    if not answer.query.with_latency:
        return
    if answer.without_latency:
        tally.count("latencies that are not known of kept days")
        about = [day for day, _ in answer.query.days if day in kept]
        tally.compare("latencies are not known of kept days alone", got=bool(about), expected=True, about=answer.query)
        return
    expected = plain.latencies_of(answer.query, {row.group for row in answer.rows})
    got = {(row.start, row.group): latency(row.sums.latency or Latency()) for row in answer.rows}
    tally.compare(
        "latencies",
        got=got,
        expected={place: plain_latency(calls) for place, calls in expected.items()},
        about=(answer.query, answer.plan),
    )


def latency(of: Latency) -> tuple[Any, ...]:
    intervals = [of.percentile(percent) for percent in PERCENTILES]
    return (of.calls, of.milliseconds, of.output_tokens, *(each and each.first for each in intervals))


def plain_latency(calls: plain.Latencies) -> tuple[Any, ...]:
    ranked = [calls[-(-len(calls) * percent // 100) - 1][0] for percent in PERCENTILES] if calls else []
    begins = [max(bound for bound in BOUNDS if bound <= took) for took in ranked] or [None for _ in PERCENTILES]
    return (len(calls), sum(ms for ms, _ in calls), sum(tokens for _, tokens in calls), *begins)


def kept_days(organization: Organization) -> set[date]:
    """Noted as such, or not yet."""
    days_of = UsageDay.objects.filter(organization=organization)
    return {*days_of.kept().values_list("date", flat=True), *days_of.lost().values_list("date", flat=True)}


def compare_platform(scene: Scene, chance: random.Random, tally: Tally) -> None:
    last = days.date_of(scene.clock.now(), "UTC") + timedelta(days=1)
    query = PlatformQuery((OwnDays(last - timedelta(days=chance.randrange(1, PAST.days)), last),))
    with one_snapshot(chance, tally):
        answer = whole_platform.read(query)
        by_date, by_organization = plain.platform(query.first, query.last)
        tally.compare(
            "all organizations by day",
            got={(day,): values(sums) for day, sums in answer.by_date.items() if sums.rows},
            expected=by_date,
            about=query,
        )
        tally.compare(
            "all organizations, each",
            got={(pk,): values(sums) for pk, sums in answer.by_organization},
            expected=by_organization,
            about=query,
        )


def verify_day(scene: Scene, chance: random.Random, tally: Tally) -> None:
    """Every grain of a clean day, in all organizations."""
    day = days.date_of(scene.clock.now(), "UTC") - timedelta(days=chance.choice((0, 1, 2, chance.randrange(PAST.days))))
    mismatches = day_sums.verify(day, [organization.pk for organization in scene.organizations])
    tally.compare("a day's aggregates at every grain", got=mismatches, expected=[], about=day)


def compare_everything(scene: Scene, tally: Tally) -> None:
    """After the last roll-up: each day's aggregates and the log, and what was acknowledged and what is in the log."""
    for organization in scene.organizations:
        logged = plain.days_of(organization.pk, organization.time_zone)
        tally.compare("a day's aggregates, in the end", got=stored(organization), expected=logged, about=organization)
    organizations = [organization.pk for organization in scene.organizations]
    for day in UsageDay.objects.values_list("date", flat=True).distinct().order_by("date"):
        mismatches = day_sums.verify(day, organizations)
        tally.compare("a day's aggregates at every grain", got=mismatches, expected=[], about=day)
    for period in {Period(*found) for found in UsagePeriod.objects.values_list("unit", "first")}:
        found = period_sums.verify(period, organizations)
        tally.compare("a week or month, in the end", got=found, expected={}, about=period)
    tally.compare(
        "acknowledged calls are in the log, once, and no others",
        got=sorted(plain.acknowledged()),
        expected=sorted(scene.acknowledged),
        about="all calls",
    )


def stored(organization: Organization) -> plain.Table:
    """The totals of each day, as the aggregates hold them."""
    with connection.cursor() as cursor:
        columns = ", ".join(measure.column for measure in MEASURES)
        cursor.execute(
            f"SELECT date, {columns} FROM aggregates_dailyaggregate WHERE organization_id = %s", [organization.pk]
        )
        return {(day,): tuple(map(Decimal, sums)) for day, *sums in cursor.fetchall()}


def values(sums: Sums) -> tuple[Decimal, ...]:
    return tuple(Decimal(getattr(sums, measure.name)) for measure in MEASURES)
