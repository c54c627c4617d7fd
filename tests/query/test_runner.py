"""Reading: whatever the source, the answer is the sum over the log."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aggregates.db.snapshot import snapshot
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.domain.dimensions import BY_NAME, grain_for
from aggregates.domain.measures import RANKS, Sums
from aggregates.ingest import record
from aggregates.models import Organization, UsageLog
from aggregates.query.answer import Answer, Group
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization

MakeCall = Callable[..., Call]
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata")


def history(call: MakeCall, first: datetime, last: datetime, number: int = 400) -> list[Call]:
    """Calls at random instants, many of them close to a midnight of some zone; the same ones every time."""
    chance = random.Random(7)
    calls = []
    for _ in range(number):
        instant = first + (last - first) * chance.random()
        if chance.random() < 0.3:
            instant = instant.replace(hour=chance.choice([0, 7, 8, 18]), minute=chance.choice([0, 29, 30, 59]))
        tokens = chance.randrange(5000)
        calls.append(
            call(
                instant.isoformat(),
                operation=chance.choice(["chat", "search", ""]),
                provider=chance.choice(["openai", "anthropic"]),
                model=chance.choice(["gpt-5", "claude-4", "o9"]),
                user_id=chance.choice(["alice", "bob", "charlie", ""]),
                subject_id=f"player-{chance.randrange(12)}",
                project=chance.choice(["", "web"]),
                status=chance.choice(["ok", "ok", "ok", "error"]),
                input_tokens=tokens,
                cached_tokens=chance.randrange(tokens + 1),
                output_tokens=chance.randrange(900),
                cost=chance.choice([None, str(chance.random()), "0.000000000001"]),
            )
        )
    return calls


def by_hand(answer: Answer) -> dict[tuple[datetime, Group], Sums]:
    """The answer's question, worked out in Python over every row of the log."""
    query, found = answer.query, dict[tuple[datetime, Group], Sums]()
    for row in UsageLog.objects.filter(organization=query.organization):
        if not query.start <= row.timestamp < query.end:
            continue
        pairs = {(name, getattr(row, dimension.column)) for name, dimension in BY_NAME.items()}
        filtered, kept = ({name for name, _ in some} for some in (query.filters, pairs & set(query.filters)))
        if filtered != kept or pairs & set(query.excluded):
            continue
        bucket = max(start for start in query.buckets if start <= row.timestamp)
        group = tuple(getattr(row, BY_NAME[name].column) for name in query.by)
        sums = Sums(
            1,
            int(row.status == "error"),
            int(row.cost is None),
            row.cost or Decimal(0),
            row.input_tokens,
            row.cached_tokens,
            row.cache_write_tokens,
            row.output_tokens,
            row.reasoning_tokens,
            row.cache_hit_rate,
        )
        found[bucket, group] = found.get((bucket, group), Sums()) + sums
    return found


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"bucket": Bucket.TOTAL},
    {"bucket": Bucket.HOUR},
    {"filters": (("user", "alice"),)},
    {"filters": (("user", ""), ("model", "o9"))},
    {"filters": (("user", "nobody"),)},
    *({"by": (name,)} for name in BY_NAME),
    *({"by": (name,), "bucket": Bucket.TOTAL, "filters": (("model", "gpt-5"),)} for name in BY_NAME),
    {"by": ("subject",), "filters": (("user", "bob"),)},
    {"bucket": Bucket.WEEK},
    {"bucket": Bucket.MONTH, "by": ("user",)},
    {"bucket": Bucket.WEEK, "filters": (("model", "gpt-5"), ("model", "o9"), ("operation", "chat"))},
    {"bucket": Bucket.TOTAL, "excluded": (("model", "gpt-5"),)},
    {"by": ("model",), "excluded": (("user", "alice"), ("user", ""))},
    {"by": ("operation",), "filters": (("user", "alice"), ("user", "bob")), "excluded": (("model", "o9"),)},
    *({"by": ("subject",), "bucket": Bucket.TOTAL, "rank": rank} for rank in RANKS),
    {"by": ("model",), "filters": (("user", "bob"), ("subject", "player-3"))},
    {"by": ("operation", "provider", "model")},
    {"by": ("model", "operation"), "bucket": Bucket.TOTAL, "rank": "tokens"},
    {"by": ("subject", "user"), "bucket": Bucket.MONTH, "filters": (("user", "alice"), ("user", ""))},
    {"by": ("user", "subject", "project"), "bucket": Bucket.TOTAL},  # which no grain holds
    {"by": tuple(BY_NAME), "bucket": Bucket.WEEK, "excluded": (("model", "o9"),)},
]


@pytest.mark.parametrize("zone", ZONES)
def test_log_aggregates_and_arithmetic_by_hand_agree(zone: str, db: None, call: MakeCall) -> None:
    """Around a change of clocks, with days clean, stale, not rolled and without usage."""
    organization = make_organization("acme", zone)
    stranger = make_organization("other", zone)
    first, last = datetime(2025, 2, 20, tzinfo=UTC), datetime(2025, 3, 20, tzinfo=UTC)
    calls = history(call, first, last)
    record(organization, calls[:300])
    record(stranger, calls[:100])
    roll_up(dates=list(days.dates(date(2025, 2, 1), date(2025, 3, 12))))
    record(organization, [made for made in calls[300:] if made.timestamp.day % 3 == 0])
    for question in QUESTIONS:
        queries = [
            UsageQuery.for_dates(organization, date(2025, 2, 18), date(2025, 3, 22), source=source, **question)
            for source in (Source.AUTO, Source.LOG)
        ]
        auto, log = read(queries).values()
        expected = by_hand(log)
        for answer in (auto, log):
            assert {(row.start, row.group): row.sums for row in answer.rows} == expected, question
            assert len(answer.rows) == len(expected)
            assert answer.totals == sum(expected.values(), Sums())
        assert auto.rows == log.rows


@pytest.mark.parametrize("rank", RANKS)
def test_groups_are_ranked_as_asked(acme: Organization, call: MakeCall, rank: str) -> None:
    record(acme, history(call, datetime(2025, 2, 20, tzinfo=UTC), datetime(2025, 3, 20, tzinfo=UTC)))
    query = UsageQuery.for_dates(acme, date(2025, 2, 20), date(2025, 3, 20), by=("subject",), top=3, rank=rank)
    answer = read([query])[query]
    heights = {
        key: sum(sum(getattr(row.sums, name) for name in RANKS[rank]) for row in answer.rows if row.key == key)
        for key in answer.keys
    }

    assert list(heights)[-1] is None
    assert list(heights.values())[:3] == sorted(list(heights.values())[:3], reverse=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum({}) AS height FROM aggregates_usagelog GROUP BY subject_id ORDER BY 1 DESC LIMIT 3".format(
                {
                    "cost": "coalesce(cost, 0)",
                    "calls": "1",
                    "tokens": "input_tokens + output_tokens",
                    "errors": "(status = 'error')::int",
                    "input_tokens": "input_tokens",
                }[rank]
            )
        )
        assert list(heights.values())[:3] == [height for (height,) in cursor.fetchall()]


def test_the_first_so_many_groups_and_other_add_up_to_all(acme: Organization, call: MakeCall) -> None:
    record(acme, history(call, datetime(2025, 2, 20, tzinfo=UTC), datetime(2025, 3, 20, tzinfo=UTC)))
    roll_up()
    whole = UsageQuery.for_dates(acme, date(2025, 2, 20), date(2025, 3, 20), by=("subject",))
    topped = UsageQuery.for_dates(acme, date(2025, 2, 20), date(2025, 3, 20), by=("subject",), top=5)
    answers = read([whole, topped])
    costs: dict[str | None, Decimal] = {}
    for row in answers[whole].rows:
        costs[row.key] = costs.get(row.key, Decimal(0)) + row.sums.cost
    ranked = sorted(costs, key=lambda key: -costs[key])
    assert set(answers[topped].keys) == {*ranked[:5], None}
    assert answers[topped].keys[-1] is None
    assert answers[topped].totals == answers[whole].totals
    other = [row.sums.cost for row in answers[topped].rows if row.key is None]
    assert sum(other) == sum(costs[key] for key in ranked[5:])


def test_groups_come_highest_first_over_the_whole_range(acme: Organization, call: MakeCall) -> None:
    record(
        acme,
        [
            call("2025-03-01T00:00Z", model="small", cost="3"),
            call("2025-03-02T00:00Z", model="small", cost="3"),
            call("2025-03-02T00:00Z", model="large", cost="5"),
            call("2025-03-02T00:00Z", model="free-often"),
            call("2025-03-02T00:00Z", model="free-often"),
            call("2025-03-02T00:00Z", model="free"),
        ],
    )
    query = UsageQuery.for_dates(acme, date(2025, 3, 1), date(2025, 3, 2), by=("model",), bucket=Bucket.TOTAL)
    assert read([query])[query].keys == ("small", "large", "free-often", "free")


@pytest.mark.parametrize("length", [30, 365])
def test_after_rolling_up_a_long_range_reads_aggregates_only(length: int, acme: Organization, call: MakeCall) -> None:
    last = date.today() - timedelta(days=2)  # noqa: DTZ011 (any recent closed day will do)
    first = last - timedelta(days=length - 1)
    every = length // 30  # days: about thirty are rolled up, whatever the length
    calls = history(call, days.midnight(first, "UTC"), days.midnight(last, "UTC"), 150 * every)
    record(acme, [made for made in calls if made.timestamp.toordinal() % every == 0])
    roll_up()
    queries = [
        UsageQuery.for_dates(acme, first, last, **question)
        for question in QUESTIONS
        if question.get("bucket") != Bucket.HOUR
        and grain_for((*question.get("by", ()), *dict((*question.get("filters", ()), *question.get("excluded", ())))))
    ]
    answers = dict[UsageQuery, Answer]()
    asked = []

    def note(execute: Callable[..., object], sql: str, params: object, *more: object) -> object:
        asked.append((sql, params))
        return execute(sql, params, *more)

    with connection.execute_wrapper(note):
        for query in queries:
            answers |= read([query])
    assert all(answer.plan.log_days == () for answer in answers.values())
    plans = []
    with connection.cursor() as cursor:
        for sql, parameters in asked:
            if sql.startswith(("SELECT", "WITH")) or "SELECT" in sql[:20]:
                cursor.execute("EXPLAIN (ANALYZE, VERBOSE) " + sql, parameters)
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
    assert len(plans) > len(queries)
    reads_log = re.compile(r" on \S*aggregates_usagelog")
    assert not any(reads_log.search(plan) for plan in plans)
    assert sum("aggregates_daily" in plan or "aggregates_breakdownchunk" in plan for plan in plans) >= len(queries)


def height(query: UsageQuery, sums: Sums) -> Decimal:
    return Decimal(sum(getattr(sums, name) for name in RANKS[query.rank]))


@pytest.fixture(scope="module")
def seven_weeks(shared: None, call: MakeCall) -> None:
    acme = make_organization("acme")
    record(acme, history(call, datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 20, tzinfo=UTC)))
    roll_up()
    record(acme, [call("2025-04-07T10:00Z", model="late", user_id="late", cost="0.5")])  # its week is read by day


def test_a_total_is_added_up_from_its_series_that_is_read_with_it(seven_weeks: None, acme: Organization) -> None:
    series = UsageQuery.for_dates(acme, date(2025, 3, 1), date(2025, 4, 20), filters=(("user", "alice"),))
    total = replace(series, bucket=Bucket.TOTAL, with_latency=True, rank="calls")
    others = [replace(total, filters=()), replace(total, excluded=(("model", "o9"),)), replace(total, by=("model",))]
    others.append(replace(total, start=series.buckets[1]))
    read([series])  # reads the log's holes, which are then known
    counted = []
    for asked in ([series, *others], [series, total, *others]):
        with CaptureQueriesContext(connection) as captured:
            answers = read(asked)
        counted.append(len(captured))

    assert counted[1] == counted[0] + 1  # that of latencies
    for query, answer in answers.items():
        alone = read([query])[query]
        assert (answer.rows, answer.plan) == (alone.rows, alone.plan)
    assert read([series, replace(total, filters=(("user", "nobody"),))])[series].rows == answers[series].rows


@pytest.mark.parametrize(("source", "statements"), [(Source.AUTO, 8), (Source.LOG, 6)])
def test_breakdowns_of_the_same_calls_are_read_at_once_and_are_the_same_as_alone(
    source: Source, statements: int, seven_weeks: None, acme: Organization
) -> None:
    first, last = date(2025, 3, 1), date(2025, 4, 20)
    queries = [
        UsageQuery.for_dates(acme, first, last, bucket=Bucket.TOTAL, source=source, by=(name,), **rest)
        for rest in (
            {},  # from weeks, which the subjects have no sums of
            {"top": 2},  # the first subjects are found by themselves
            # From the log for the subjects: no grain has them with users and models.
            {"filters": (("user", "alice"), ("user", "late")), "excluded": (("model", "o9"),)},
            {"filters": (("user", "bob"),), "rank": "calls", "top": 1},
        )
        for name in BY_NAME
    ]
    with CaptureQueriesContext(connection) as captured:
        answers = read(queries)

    assert list(answers) == queries
    for query, answer in answers.items():
        assert answer.rows == read([query])[query].rows
        expected = {group: sums for (_, group), sums in by_hand(answer).items()}
        groups = {row.group: row.sums for row in answer.rows}
        others = groups.pop(None, None)
        assert groups.items() <= expected.items()
        highest = sorted((height(query, sums) for sums in expected.values()), reverse=True)
        assert [height(query, sums) for sums in groups.values()] == highest[: query.top]
        assert len(groups) == min(query.top or len(expected), len(expected))
        assert (others is None) == (len(groups) == len(expected))
        assert answer.totals == Sums.of(expected.values())
    asked = [each["sql"] for each in captured.captured_queries if each["sql"].startswith("WITH")]
    assert len(asked) == statements


BY_SEVERAL = (("model", "user"), ("user", "operation"), ("subject", "model"), ("user", "subject", "project"))


@pytest.mark.parametrize("bucket", [Bucket.TOTAL, Bucket.WEEK])
@pytest.mark.parametrize("source", [Source.AUTO, Source.LOG])
def test_of_several_dimensions_the_first_groups_and_other_add_up_to_all(
    source: Source, bucket: Bucket, seven_weeks: None, acme: Organization
) -> None:
    first, last = date(2025, 3, 1), date(2025, 4, 20)
    wholes = [UsageQuery.for_dates(acme, first, last, bucket=bucket, source=source, by=by) for by in BY_SEVERAL]
    tops = [replace(query, top=2) for query in wholes]

    answers = read([*wholes, *tops])

    for query, topped in zip(wholes, tops, strict=True):
        whole, few = answers[query], answers[topped]
        assert {(row.start, row.group): row.sums for row in whole.rows} == by_hand(whole)
        assert few.groups == (*whole.groups[:2], None)
        others = {row.start: row.sums for row in few.rows if row.group is None}
        beyond: dict[datetime, list[Sums]] = {}
        for row in whole.rows:
            if row.group not in few.groups:
                beyond.setdefault(row.start, []).append(row.sums)
        assert others == {start: Sums.of(sums) for start, sums in beyond.items()}
        assert few.totals == whole.totals
        heights = [height(query, Sums.of(row.sums for row in whole.rows if row.group == g)) for g in whole.groups]
        assert heights == sorted(heights, reverse=True)


def test_breakdowns_by_as_many_dimensions_are_read_at_once(seven_weeks: None, acme: Organization) -> None:
    first, last = date(2025, 3, 1), date(2025, 4, 20)
    log = {"bucket": Bucket.TOTAL, "source": Source.LOG}
    queries = [UsageQuery.for_dates(acme, first, last, by=by, **log) for by in BY_SEVERAL]
    with CaptureQueriesContext(connection) as captured:
        read(queries)
    asked = [each["sql"] for each in captured.captured_queries if each["sql"].startswith("WITH")]
    assert len(asked) == 2  # by two, and by three


def test_a_group_of_several_dimensions_has_no_single_key(acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-03-01T00:00Z", model="o9", user_id="")])
    query = UsageQuery.for_dates(acme, date(2025, 3, 1), date(2025, 3, 2), by=("model", "user"), bucket=Bucket.TOTAL)
    answer = read([query])[query]
    assert answer.groups == (("o9", ""),)
    with pytest.raises(ValueError, match="too many values"):
        _ = answer.keys


@pytest.fixture(scope="module")
def ten_months(shared: None, call: MakeCall) -> None:
    now = datetime.now(UTC)
    record(make_organization("acme"), history(call, now - timedelta(days=300), now, 120))
    roll_up()


@pytest.mark.parametrize("ago", [0, 1, 12, 200])
def test_one_call_more_is_in_the_next_answer(ago: int, ten_months: None, acme: Organization, call: MakeCall) -> None:
    now = datetime.now(UTC)
    query = UsageQuery.for_dates(acme, now.date() - timedelta(days=364), now.date(), by=("model",), bucket=Bucket.TOTAL)
    before = read([query])[query]
    record(acme, [call((now - timedelta(days=ago)).isoformat(), model="brand-new", cost="1.5")])
    after = read([query])[query]
    assert after.totals.cost - before.totals.cost == Decimal("1.5")
    assert "brand-new" in after.keys


@pytest.mark.parametrize("source", [Source.AGGREGATES, Source.LOG])
def test_of_a_long_tail_the_highest_come_first_by_name_where_they_are_alike_and_others_last(
    acme: Organization, call: MakeCall, source: Source
) -> None:
    costs = {"": "4", "a": "2", "B": "2", "b": "1", "c": "9", "d": "0.5"}
    for day in ("2025-03-01", "2025-03-02"):
        record(acme, [call(f"{day}T10:00Z", subject_id=subject, cost=cost) for subject, cost in costs.items()])
    roll_up()
    query = UsageQuery.for_dates(
        acme, date(2025, 3, 1), date(2025, 3, 2), bucket=Bucket.TOTAL, by=("subject",), source=source
    )

    for top, shown, others in ((3, ["c", "", "B"], 7), (4, ["c", "", "B", "a"], 3), (None, [*"c", "", *"Babd"], 0)):
        asked = replace(query, top=top)
        rows = read([asked])[asked].rows
        costs_shown = [(key, 2 * Decimal(costs[key])) for key in shown]
        assert [(row.key, row.sums.cost) for row in rows] == costs_shown + ([(None, others)] if others else [])


def test_answers_of_one_request_are_of_one_moment(transactional_db: None, call: MakeCall) -> None:
    """What is committed while a request reads is in none of its answers."""
    from threading import Thread

    acme = make_organization("acme")
    record(acme, [call("2025-03-01T10:00Z", cost="1")])

    def write() -> None:
        record(acme, [call("2025-03-01T11:00Z", cost="2")])
        connection.close()

    query = UsageQuery.for_dates(acme, date(2025, 3, 1), date(2025, 3, 1))
    with snapshot():
        first = read([query])[query]
        thread = Thread(target=write)
        thread.start()
        thread.join()
        second = read([query])[query]
    assert first.totals == second.totals
    assert read([query])[query].totals.cost == 3


def test_reading_cannot_write(transactional_db: None) -> None:
    from django.db import InternalError

    with pytest.raises(InternalError, match="read-only transaction"), snapshot():
        make_organization("acme")


def test_no_queries_no_answers(db: None) -> None:
    assert read([]) == {}
