"""Latencies are what the log says, wherever they are read, and not known where nothing says it."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from aggregates.domain import contents
from aggregates.domain.calls import Call
from aggregates.domain.latency import Latency
from aggregates.ingest import record
from aggregates.models import LatencyChunk, Organization, UsageDay, UsagePeriod
from aggregates.query import latencies
from aggregates.query.answer import Answer
from aggregates.query.paging import read_page
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup import day_sums, protocol
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.latencies import latency_of

FIRST, LAST = date(2025, 1, 20), date(2025, 4, 9)
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"bucket": Bucket.TOTAL},
    {"bucket": Bucket.WEEK, "by": ("model",)},
    {"bucket": Bucket.MONTH, "by": ("provider",), "filters": (("model", "model-1"), ("key", ""))},
    {"bucket": Bucket.TOTAL, "by": ("model",), "top": 2},
    {"bucket": Bucket.TOTAL, "by": ("operation",), "filters": (("model", "model-1"), ("model", "model-2"))},
    {"by": ("model",), "top": 2, "rank": "calls"},
    {"by": ("operation", "model"), "excluded": (("project", "web"), ("tier", "batch"))},
    {"by": ("user",), "bucket": Bucket.TOTAL, "top": 3},
    {"by": ("user",), "top": 1},
    {"by": ("subject", "user"), "bucket": Bucket.MONTH, "top": 2, "top_within": 1},
    {"by": ("model", "subject"), "bucket": Bucket.TOTAL, "top": 1, "top_within": 2},
    {"by": ("subject", "model"), "bucket": Bucket.TOTAL, "top": 3},
    {"by": ("model",), "filters": (("subject", "s-1"),)},
)


def some_calls(call: Callable[..., Call], number: int = 700) -> list[Call]:
    chance = random.Random(5)
    start = datetime(2025, 1, 20, tzinfo=UTC)
    return [
        call(
            (start + timedelta(seconds=chance.randrange(79 * 86_400))).isoformat(),
            request_id=f"call-{nth}",
            model=f"model-{chance.randrange(4)}",
            provider=chance.choice(["", "openai"]),
            operation=chance.choice(["chat", "search"]),
            user_id=chance.choice(["alice", "bob"]),
            subject_id=f"s-{chance.randrange(3)}",
            project=chance.choice(["", "web"]),
            service_tier=chance.choice(["", "batch"]),
            status="error" if nth % 9 == 0 else "ok",
            output_tokens=chance.randrange(300),
            latency_ms=None
            if nth % 7 == 0
            else chance.choice([0, chance.randrange(50), int(chance.lognormvariate(7, 1))]),
            cost="1",
        )
        for nth in range(number)
    ]


def by_hand(calls: list[Call]) -> Latency:
    told = [call for call in calls if call.latency_ms is not None and call.status != "error"]
    return Latency.of(latency_of(call.latency_ms or 0, call.output_tokens) for call in told)


@pytest.fixture(scope="module")
def calls(shared: None, call: Callable[..., Call]) -> list[Call]:
    made = some_calls(call)
    record(make_organization("acme"), made)
    return made


@pytest.fixture(scope="module")
def rolled(calls: list[Call]) -> list[Call]:
    roll_up()
    return calls


def ask(organization: Organization, **way: Any) -> Answer:
    query = UsageQuery.for_dates(organization, FIRST, LAST, with_latency=True, **way)
    return read([query])[query]


def assert_equal_to_log(organization: Organization) -> None:
    for way in WAYS:
        answer, logged = ask(organization, **way), ask(organization, source=Source.LOG, **way)
        assert answer.without_latency == logged.without_latency == "", way
        assert answer.rows == logged.rows, way


def test_every_way_to_latencies_equals_the_log_before_and_after_rolling_up(
    acme: Organization, calls: list[Call], call: Callable[..., Call]
) -> None:
    for rolled in (False, True):
        assert ask(acme, bucket=Bucket.TOTAL).totals.latency == by_hand(calls)
        assert_equal_to_log(acme)
        if not rolled:
            roll_up()
    assert LatencyChunk.objects.filter(unit="month").exists()
    late = [call("2025-02-03T10:00Z", model="model-1", latency_ms=77, output_tokens=5)]
    record(acme, late)
    assert_equal_to_log(acme)
    roll_up()
    assert ask(acme, bucket=Bucket.TOTAL).totals.latency == by_hand([*calls, *late])
    assert_equal_to_log(acme)


def test_rolled_days_are_read_from_their_histograms(acme: Organization, rolled: list[Call]) -> None:
    LatencyChunk.objects.filter(unit="day").delete()
    assert ask(acme, bucket=Bucket.MONTH).rows[1].sums.latency != Latency(), "a whole month, from its own"
    LatencyChunk.objects.all().delete()
    assert ask(acme, bucket=Bucket.TOTAL).totals.latency == Latency()
    assert ask(acme, bucket=Bucket.TOTAL, by=("user",)).totals.latency == by_hand(rolled), "users only the log knows"


def test_the_groups_and_the_rest_have_the_latencies_of_their_calls(acme: Organization, calls: list[Call]) -> None:
    """Elsewhere answers are compared with those of the log, which adds up groups beyond the first as one."""
    for name in ("user_id", "subject_id"):
        answer = ask(acme, by=(name.removesuffix("_id"),), bucket=Bucket.TOTAL, top=1)
        (first, rest) = answer.rows
        assert first.sums.latency == by_hand([call for call in calls if getattr(call, name) == first.key])
        assert rest.sums.latency == by_hand([call for call in calls if getattr(call, name) != first.key])
    within = ask(acme, by=("subject", "model"), bucket=Bucket.TOTAL, top=1, top_within=1)
    (first, *rests) = within.rows
    subject, model = first.group or ()
    of_subject = [call for call in calls if call.subject_id == subject]
    assert [row.group for row in rests] == [(subject, None), None]
    assert first.sums.latency == by_hand([call for call in of_subject if call.model == model])
    assert rests[0].sums.latency == by_hand([call for call in of_subject if call.model != model])
    assert rests[1].sums.latency == by_hand([call for call in calls if call.subject_id != subject])


def test_a_page_of_rows_has_the_latencies_of_its_own(acme: Organization, rolled: list[Call]) -> None:
    query = UsageQuery.for_dates(acme, FIRST, LAST, with_latency=True, by=("model",))
    rows = {(row.start, row.group): row.sums for row in read([query])[query].rows}
    place, found = None, []
    while found == [] or place:
        page = read_page(query, place, 50, seconds=20)
        found += page.answer.rows
        place = page.next
    assert {(row.start, row.group): row.sums for row in found} == rows


def test_verification_compares_histograms(acme: Organization, rolled: list[Call]) -> None:
    day = date(2025, 2, 3)
    assert day_sums.verify(day, [acme.pk]) == []
    LatencyChunk.objects.filter(unit="day", first=day, grain="latency").update(amount=[1], term=[4], place=None)
    assert [mismatch.grain for mismatch in day_sums.verify(day, [acme.pk])] == ["latency"]


@pytest.fixture
def before(acme: Organization, rolled: list[Call]) -> Organization:
    """Days that were rolled up before there were histograms."""
    LatencyChunk.objects.all().delete()
    UsageDay.objects.update(contents=2)
    UsagePeriod.objects.update(contents=2)
    return acme


def test_days_that_were_rolled_up_before_are_read_from_the_log_until_they_are_renewed(
    before: Organization, rolled: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(before).plan.log_days == (), "their sums are known"
    assert_equal_to_log(before)
    monkeypatch.setattr(latencies, "MOST_CALLS", 20)
    answer = ask(before)
    assert (answer.totals.calls, answer.totals.latency) == (700, None)
    assert answer.without_latency == (
        "Latencies of more than 20 calls are not read from the log, and their days are to be rolled up first: "
        "ask later, or for fewer days."
    )
    while protocol.renew(50).days:
        pass
    assert ask(before).totals.latency == by_hand(rolled)


def test_of_kept_days_that_were_rolled_up_before_latencies_are_not_known(before: Organization) -> None:
    UsageDay.objects.filter(date=date(2025, 2, 3)).update(kept_at="2025-05-01T00:00Z", kept_reason="calls")
    answer = ask(before, by=("model",))
    assert answer.totals.calls == 700
    assert answer.totals.latency is None
    assert answer.without_latency == (
        "Calls of 2025-02-03 are missing from the log, and their aggregates do not hold latencies by model: "
        "ask for fewer, or for later days."
    )


def test_kept_days_keep_their_histograms(acme: Organization, rolled: list[Call]) -> None:
    UsageDay.objects.filter(date=date(2025, 2, 3)).update(kept_at="2025-05-01T00:00Z", kept_reason="calls")
    assert ask(acme, by=("model",)).totals.latency == by_hand(rolled)
    assert "no daily aggregate holds latencies by user" in ask(acme, by=("user",)).without_latency


def test_users_and_subjects_of_many_calls_are_not_read(
    acme: Organization, rolled: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latencies, "MOST_CALLS", 600)
    answer = ask(acme, by=("user",))
    assert (answer.totals.calls, answer.totals.latency) == (700, None)
    assert answer.without_latency.endswith("no daily aggregate holds latencies by user: ask for fewer days.")
    assert ask(acme, by=("model",)).totals.latency == by_hand(rolled)


def test_the_version_is_what_tells() -> None:
    assert contents.VERSIONS[1].grains == contents.VERSIONS[2].grains[:-2]
    assert replace(contents.VERSIONS[2], grains=()) == replace(contents.VERSIONS[1], grains=())
