"""Reports that come in requests of their own, in any order, again, at once, and when others are forgotten: each call
once."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from aggregates.db.sql import array
from aggregates.domain.calls import Call, check_cost
from aggregates.domain.units import check_units
from aggregates.ingest import forget_reports, record, record_reports, remember_reports
from aggregates.ingest.identity import RETRIEVALS, Report
from aggregates.ingest.reports import Reported, keeping, settling
from aggregates.ingest.reports.logged import IN_LOG
from aggregates.models import CallReport, Organization, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.comparing import assert_equal_to_log
from tests.fixtures import make_organization
from tests.locking import waiting
from tests.patience import PATIENCE, wait_until
from tests.threads import in_a_thread

EVENING = datetime(2025, 1, 31, 23, 59, 50, tzinfo=UTC)  # so that calls lie on both sides of a midnight and a month
FIRST, LAST = date(2025, 1, 1), date(2025, 3, 1)
OPENAI, LANGCHAIN, SDK, EVENTS = "openai_v2", "openinference.langchain", "com.anthropic.sdk.python", "litellm logger"
SILENT = {"input_tokens": 0, "output_tokens": 0}


def at(seconds: float) -> datetime:
    return EVENING + timedelta(seconds=seconds)


def report(span: str, begins: float = 0, ends: float = 1, scope: str = OPENAI, **rest: Any) -> Report:
    """Make the report of a call of 100 and 10 tokens in trace t; `call` changes its fields, None makes it no call."""
    trace = rest.pop("trace", "t").ljust(32, "a").replace("t", "0").replace("r", "1")
    fields = rest.pop("call", {})
    parts: dict[str, Any] = {"timestamp": at(begins), "model": "gpt-4o", "latency_ms": int((ends - begins) * 1000)}
    call = None if fields is None else Call(**{**parts, "input_tokens": 100, "output_tokens": 10, **fields})
    named = {name: rest.pop(name) for name in ("parent",) if rest.get(name)}
    parent = {name: f"{trace}-{value.encode().hex():0>16}" for name, value in named.items()}
    name = span if scope == EVENTS else f"{trace}-{span.encode().hex():0>16}"
    return Report(name, scope, at(begins), at(ends), call=call, trace=trace, **{**rest, **parent})


def event(span: str, begins: float = 0, ends: float = 1, **rest: Any) -> Report:
    return report(span, begins, ends, EVENTS, **rest)._replace(trace="")


def take(organization: Organization, *reports: Report) -> Reported:
    return record_reports(organization, reports, kept=remember_reports(organization, reports))


def take_apart(organization: Organization, reports: Iterable[Report]) -> None:
    for one in reports:
        take(organization, one)


def forget_all() -> None:
    CallReport.objects.all().delete()


def log(*fields: str) -> list[Any]:
    chosen = fields or ("input_tokens",)
    return sorted(UsageLog.objects.values_list(*chosen, flat=len(chosen) == 1))


def test_a_report_tells_the_same_as_it_came_and_as_it_is_read_again(acme: Organization) -> None:
    details: dict[str, Any] = {
        "cost": check_cost("0.1"),
        "units": check_units({"web_searches": 10, "input_audio_seconds": "1.50"}),
        "labels": (("team", '"a" \\ b, {c}'),),
        "cached_tokens": 3,
        "service_tier": "flex",
        "key": "usage_abc",
    }
    one = report("a", user_id='O"Neil', operation="sup\\port", project="NULL", call=details)
    take(acme, one)
    before = UsageLog.objects.values().get()
    assert (before["labels"], before["key"], before["project"]) == (dict(details["labels"]), "usage_abc", "NULL")
    (digest,) = CallReport.objects.values_list("digest", flat=True)

    assert record_reports(acme, [one]).already_there == 1  # which reads it

    assert UsageLog.objects.values().get() == before
    assert CallReport.objects.get().digest == digest


CHAIN = [
    report("a", 9, 11, SDK, parent="b", response_id="m1", call={"cached_tokens": 7}),
    report("b", 8.9, 11.1, LANGCHAIN, parent="c"),
    report("c", 8.8, 11.2, "agents", parent="d", call=None, operation="support"),
    report("d", 8.7, 11.3, "web", call=None, user_id="u-17", project="shop"),
]


@pytest.mark.parametrize("order", list(permutations(CHAIN)))
def test_what_is_around_a_call_may_come_whenever(acme: Organization, order: Sequence[Report]) -> None:
    """In the meantime, too, which is looked at once for each order of those that have come, whatever comes then."""
    for number, one in enumerate(order, 1):
        take(acme, one)
        roll_up()
        to_come = [CHAIN.index(report) for report in order[number:]]
        if to_come == sorted(to_come):
            assert_equal_to_log(acme, FIRST, LAST)

    assert log("input_tokens", "cached_tokens", "user_id", "operation", "project") == [
        (100, 7, "u-17", "support", "shop")
    ]
    take_apart(acme, order)
    assert UsageLog.objects.count() == 1


def test_a_call_of_a_neighbouring_trace_keeps_what_the_spans_around_it_say(acme: Organization) -> None:
    web = report("web", -1, 3, "web", call=None, user_id="u-17", trace="r1")
    take(acme, web, report("call", 0, 2, parent="web", trace="r1", project="shop"))
    take(acme, report("root", 1, 2, project="shop", call={"input_tokens": 5}))

    assert log("input_tokens", "user_id") == [(5, ""), (100, "u-17")]


def test_an_event_of_a_call_does_not_hide_what_is_around_it(acme: Organization) -> None:
    take(acme, report("s", parent="p", response_id="x", call=SILENT), report("p", -1, 2, LANGCHAIN, user_id="u-17"))
    take(acme, event("e", response_id="x", call=SILENT))

    assert log("input_tokens", "user_id") == [(100, "u-17")]


def test_where_some_reports_of_a_call_are_forgotten_it_stands(acme: Organization) -> None:
    take(acme, report("a", scope=SDK, parent="b", response_id="m1", call={"input_tokens": 900}))
    take(acme, report("b", -1, 2, LANGCHAIN, parent="c"))
    CallReport.objects.filter(scope=SDK).delete()
    before = log("input_tokens", "request_id")
    for number in range(2):
        take(acme, report(f"c{number}", -2, 3, "web", call=None, user_id="u"), report("c", -2, 3, "web", call=None))

    assert log("input_tokens", "request_id") == before == [(900, "m1")]


def test_who_made_a_call_stays_known_where_the_span_that_said_so_is_forgotten(acme: Organization) -> None:
    take(acme, report("root", -1, 2, "web", call=None, user_id="u-17"), report("a", parent="root", call=SILENT))
    CallReport.objects.filter(call__isnull=True).delete()
    take(acme, report("sdk", 0.1, 0.9, SDK, parent="a"))

    assert log("input_tokens", "user_id") == [(100, "u-17")]


def test_a_call_that_was_thought_to_be_another_s_report_is_one_again(acme: Organization) -> None:
    take(acme, report("l0", 0, 1, LANGCHAIN, parent="p"), report("s1", 0.2, 0.8, SDK, parent="p", response_id="m1"))
    assert UsageLog.objects.count() == 1
    take(acme, report("s0", 0.01, 0.99, SDK, parent="p", response_id="m0"))
    assert log("request_id") == ["m0", "m1"]
    take(acme, report("l1", 0.19, 0.81, LANGCHAIN, parent="p"))
    assert log("request_id") == ["m0", "m1"]


REPEATED = ["None", "", "chatcmpl-7"]


@pytest.mark.parametrize("response", REPEATED)
@pytest.mark.parametrize("together", [True, False])
def test_calls_that_share_an_id_are_calls_also_when_all_is_sent_again(
    acme: Organization, other: Organization, response: str, together: bool
) -> None:
    days = [report(f"s{n}", n * 86400, n * 86400 + 1, trace=f"t{n}", response_id=response) for n in range(3)]
    at_once = [report(f"p{n}", 0, 1, response_id=response) for n in range(3)]
    events = [event(f"e{n}", 40 + n / 4, 41 + n / 4, response_id=response) for n in range(3)]
    sent = [*days, *at_once, *events]
    for _ in range(2):
        for organization in (acme, other):
            take(organization, *sent) if together else take_apart(organization, sent)
        assert UsageLog.objects.filter(organization=acme).count() == len(sent)
        assert UsageLog.objects.filter(organization=other).count() == len(sent)
    before = log("request_id", "timestamp")
    forget_all()
    for organization in (acme, other):
        take(organization, *sent[::-1]) if together else take_apart(organization, sent[::-1])
    assert log("request_id", "timestamp") == before


def test_what_was_deleted_is_recorded_when_it_is_sent_again(acme: Organization) -> None:
    pair = [report("a", scope=SDK, parent="b", response_id="m1"), report("b", -1, 2, LANGCHAIN)]
    take(acme, *pair)
    UsageLog.objects.all().delete()
    take(acme, *pair)

    assert log("request_id") == ["m1"]


def test_a_call_that_moves_into_a_month_where_its_id_is_taken_stays_a_call(acme: Organization) -> None:
    take(acme, report("other", 3600, 3601, trace="r1", response_id="x"))
    take(acme, report("outer", 8, 12, LANGCHAIN, response_id="x"))
    take(acme, report("inner", 11, 12, SDK, parent="outer", response_id="x", call={"input_tokens": 9}))

    assert log() == [9, 100]


def test_what_others_recorded_of_a_report_that_was_just_kept_counts_once(acme: Organization) -> None:
    inner = report("inner", 1, 2, SDK, parent="outer", response_id="x", call={"input_tokens": 900})
    outer = report("outer", 0, 3, LANGCHAIN, response_id="x", user_id="u-17")
    kept = remember_reports(acme, [inner])
    assert take(acme, outer).new == 1

    assert record_reports(acme, [inner], kept).already_there == 1

    assert log("input_tokens", "user_id", "request_id") == [(900, "u-17", "x")]


@pytest.mark.parametrize("commits", ["before these are noted", "while noting waits"])
def test_what_others_record_while_reports_are_settled_counts_once(
    transactional_db: None, acme: Organization, monkeypatch: pytest.MonkeyPatch, commits: str
) -> None:
    """They came after these reports were kept, and have noted them by when these are."""
    inner = report("inner", 1, 2, SDK, parent="outer", call=SILENT)
    outer = report("outer", 0, 3, LANGCHAIN, user_id="u-17")
    kept, look = remember_reports(acme, [inner]), settling.related_reports
    looks, others, have_noted = list[int](), list[Thread](), Event()

    @contextmanager
    def until_noting_waits() -> Iterator[None]:
        with transaction.atomic():
            yield
            have_noted.set()
            if commits == "while noting waits":
                wait_until(lambda: waiting() > 0, "these are noted")

    def look_before_others(*arguments: Any) -> Any:
        found = look(*arguments)
        looks.append(len(found.reports))
        if len(looks) == 1:
            kept = remember_reports(acme, [outer])
            others.append(in_a_thread(lambda: record_reports(acme, [outer], kept, until_noting_waits)))
            assert have_noted.wait(PATIENCE)
            if commits == "before these are noted":
                others[0].join(PATIENCE)
        return found

    monkeypatch.setattr(settling, "related_reports", look_before_others)

    assert record_reports(acme, [inner], kept).already_there == 1
    others[0].join(PATIENCE)
    assert looks[0] == 1
    assert log("input_tokens", "user_id") == [(100, "u-17")]


def test_what_was_forgotten_as_soon_as_it_was_kept_is_recorded(acme: Organization) -> None:
    """As where many others come meanwhile."""
    reports = [report("a", 0, 1), report("b", 5, 6)]
    kept = remember_reports(acme, reports)
    CallReport.objects.filter(span=reports[0].span).delete()

    assert record_reports(acme, reports, kept).new == 2

    assert log() == [100, 100]
    assert take(acme, *reports).new == 0


@pytest.mark.parametrize("few", [0, 30])
def test_others_are_found_by_trace_response_and_time(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(keeping, "FEW", few)
    told = {"project": "shop", "response_id": "x"}
    first = [
        report("trace", 0, 9, LANGCHAIN, user_id="u-17", call=None),
        report("response", 1, 2, SDK, trace="r1", **told),
        report("near", 20, 29, SDK, trace="r2", project="shop"),
        report("far", 20, 29, SDK, trace="r3", project="shop", parent="some"),
        report("late", 60, 61, SDK, trace="r4", project="shop"),
    ]
    take(acme, *first)
    own = [
        report("a", 1, 2, trace="t", parent="trace", **told),
        report("b", 21, 28, trace="r5", parent="step", project="shop"),
        report("c", 40, 41, trace="r6", parent="step", project="shop"),
    ]
    kept = remember_reports(acme, own)

    traces = {one.trace for one in own}
    known = keeping.related_reports(acme, own, kept, traces, {"x"})

    others = {one.span for one in known.reports} - {one.span for one in own}
    assert others == {one.span for one in first[:3]}


def test_too_many_reports_are_forgotten_those_of_no_calls_first(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_KEPT", {"call IS NULL": 3, "call IS NOT NULL": 5})
    monkeypatch.setattr(keeping, "LOOKED_AFTER", 1)
    for number in range(8):
        take(acme, report(f"w{number}", call=None, trace=f"r{number}"), report(f"c{number}", trace=f"t{number}"))

    assert CallReport.objects.filter(call__isnull=True).count() == 3
    assert CallReport.objects.filter(call__isnull=False).count() == 5
    assert UsageLog.objects.count() == 8


def test_more_reports_than_are_compared_lose_no_call(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_RELATED", 3)
    sent = [report(f"s{n}", n, n + 1) for n in range(10)]
    for _ in range(2):
        take(acme, *sent)
        take_apart(acme, sent)

    assert UsageLog.objects.count() == 10


def test_reports_are_forgotten_after_an_hour(acme: Organization) -> None:
    take(acme, report("a"))
    assert forget_reports() == 0
    CallReport.objects.update(received_at=datetime.now(UTC) - timedelta(minutes=61))
    assert (forget_reports(), CallReport.objects.count()) == (1, 0)


@some.composite
def stories(draw: some.DrawFn) -> tuple[int, list[Report]]:
    """Calls, one after the other or at once, each told by some instrumentations and doors in their own way."""
    reports: list[Report] = []
    count = draw(some.integers(1, 5))
    for n in range(count):
        begins = draw(some.sampled_from([0.0, 20.0 * n]))
        trace = draw(some.sampled_from(["t", f"t{n}"]))
        response = f"m{n}"
        tokens = {"input_tokens": draw(some.sampled_from([100, 100 + n])), "output_tokens": 10}
        sdk = report(
            f"s{n}", begins + 0.2, begins + 0.8, SDK, trace=trace, parent=f"p{n}", response_id=response, call=tokens
        )
        reports.append(sdk)
        if draw(some.booleans()):
            reports.append(event(f"e{n}", begins + 0.1, begins + 0.9, response_id=response, call=tokens))
        depth = draw(some.integers(0, 3))
        for level in range(depth):
            told = draw(some.sampled_from([tokens, SILENT, None]))
            names = {"span": f"p{n}" if not level else f"p{n}-{level}", "parent": f"p{n}-{level + 1}"}
            reports.append(report(begins=begins, ends=begins + 1, scope=f"w{level}", trace=trace, call=told, **names))
        if depth:
            reports.append(report(f"p{n}-{depth}", begins, begins + 1, "web", trace=trace, call=None, user_id=f"u{n}"))
    return count, reports


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(), some.randoms(use_true_random=False))
def test_calls_are_counted_once_in_whatever_requests_they_come(
    db: None, monkeypatch: pytest.MonkeyPatch, story: tuple[int, list[Report]], chance: random.Random
) -> None:
    calls, reports = story
    acme = make_organization(f"acme-{uuid4()}")
    shuffled = [*reports, *chance.sample(reports, len(reports) // 2)]
    chance.shuffle(shuffled)
    while shuffled:
        monkeypatch.setattr(keeping, "FEW", chance.choice([0, 30]))
        size = chance.randint(1, 4)
        take(acme, *shuffled[:size])
        shuffled = shuffled[size:]
        if chance.random() < 0.2:
            roll_up()

    recorded = UsageLog.objects.filter(organization=acme)
    assert recorded.count() == calls
    named = {one.user_id for one in reports if one.user_id}
    assert {user for user in recorded.values_list("user_id", flat=True) if user} == named
    assert_equal_to_log(acme, FIRST, LAST)


@some.composite
def backgrounds(draw: some.DrawFn) -> tuple[int, bool, list[Report]]:
    """Calls in the background, each polled some times: how many, whether ids or a trace tell which polls are whose, and
    the reports."""
    reports: list[Report] = []
    count = draw(some.integers(1, 4))
    decide = draw(some.booleans())
    for n in range(count):
        begins = draw(some.sampled_from([0.0, 20.0 * n]))
        tokens = {"input_tokens": draw(some.sampled_from([100, 100 + n])), "output_tokens": 10}
        name = f"resp_{n:048x}"
        asks = draw(some.sampled_from([name] if decide else ["", name]))
        trace = draw(some.sampled_from(["t", f"t{n}"]))
        reports.append(
            report(f"a{n}", begins, begins + 0.1, trace=trace, response_id=asks, call=SILENT, project="shop")
        )
        for poll in range(1, draw(some.integers(0, 3)) + 1):
            polled = {
                "trace": draw(some.sampled_from([trace, f"r{n}{poll}"])),
                "call": draw(some.sampled_from([SILENT, tokens])),
                "response_id": name if decide else draw(some.sampled_from(["", name])),
            }
            at_once = (begins + poll, begins + poll + 0.1)
            reports.append(report(f"p{n}{poll}", *at_once, f"{OPENAI}{RETRIEVALS}", project="shop", **polled))
    return count, decide, reports


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(backgrounds(), some.randoms(use_true_random=False))
def test_calls_in_the_background_are_counted_once_however_often_they_are_asked_for(
    db: None, story: tuple[int, bool, list[Report]], chance: random.Random
) -> None:
    """Where ids decide they are as many as were made; else never fewer, nor more than all that was told."""
    calls, decide, reports = story
    acme = make_organization(f"acme-{uuid4()}")
    shuffled = [*reports, *chance.sample(reports, len(reports) // 2)]
    chance.shuffle(shuffled)
    while shuffled:
        size = chance.randint(1, 4)
        take(acme, *shuffled[:size])
        shuffled = shuffled[size:]
    recorded = UsageLog.objects.filter(organization=acme).count()
    assert recorded == calls if decide else calls <= recorded <= len(reports)
    assert_equal_to_log(acme, FIRST, LAST)


MADE = some.tuples(
    some.integers(0, 5),
    some.sampled_from(["t", "t1", "r1"]),
    some.sampled_from(["x", "None", "", "y"]),
    some.integers(0, 2),
    some.sampled_from([OPENAI, EVENTS]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(MADE, max_size=10), some.randoms(use_true_random=False))
def test_no_call_vanishes_whatever_ids_a_provider_gives(
    db: None, made: list[tuple[int, str, str, int, str]], chance: random.Random
) -> None:
    """Each door tells of each call; what overlaps over both doors with one id is one call, and is left out here."""
    acme = make_organization(f"acme-{uuid4()}")
    door = made[0][4] if made else OPENAI
    calls = [
        report(f"s{n}", begins, begins + 1, door, trace=trace, response_id=response, call={"input_tokens": tokens})
        for n, (begins, trace, response, tokens, _) in enumerate(made)
    ]
    for again in range(3):
        chance.shuffle(calls)
        rest = calls
        while rest:
            size = chance.randint(1, 5)
            take(acme, *rest[:size])
            rest = rest[size:]
        assert UsageLog.objects.filter(organization=acme).count() == len(made)
        if again:
            forget_all()


def test_a_month_is_read_at_most_once_for_all_names_of_a_new_organization(acme: Organization) -> None:
    """The database does not know yet how many calls it has, and takes the first index that it finds."""
    for organization, number in ((Organization.objects.create(slug="large", name="Large"), 300), (acme, 200)):
        record(organization, [Call(at(0), "m", f"{each}") for each in range(number)])
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE aggregates_usagelog" if organization != acme else "SELECT 1")
    names = array(f"none-{each}" for each in range(100))
    since, until = at(0) - timedelta(days=20), at(0) + timedelta(days=20)
    with connection.cursor() as cursor:
        values = {"organization": acme.pk, "names": names, "spans": names, "since": since, "until": until}
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF) {IN_LOG}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    removed = [int(number) for number in re.findall(r"Rows Removed by Filter: (\d+)", plan)]
    assert sum(removed) <= 2 * 200, plan
    assert "loops=100" not in plan, plan
