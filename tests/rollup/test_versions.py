"""Aggregates have a version: what older ones lack is read from the log, renewed, or said not to be known; never 0."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.test import Client

from aggregates.domain import contents
from aggregates.domain.calls import Call
from aggregates.domain.dimensions import GRAINS, LATENCY_GRAINS
from aggregates.domain.measures import MEASURES
from aggregates.ingest import record
from aggregates.models import BreakdownChunk, Organization, UsageDay, UsagePeriod
from aggregates.ops import tasks
from aggregates.query import reports
from aggregates.query.provenance import provenance
from aggregates.query.runner import Answer, read
from aggregates.query.usage_query import QueryError, UsageQuery
from aggregates.rollup import day_sums, protocol
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_member

FIRST, LAST = date(2025, 2, 1), date(2025, 3, 31)
DAYS = [date(2025, 2, 3), date(2025, 2, 4), date(2025, 3, 10)]
(TODAYS,) = contents.VERSIONS[-1:]


@pytest.fixture
def usage(acme: Organization, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch) -> Organization:
    """Days that were rolled up before reasoning tokens, and users with subjects, were summed."""
    record(acme, [call(f"{day}T10:00Z", output_tokens=9, reasoning_tokens=4, cost="1") for day in DAYS])
    roll_up()
    UsageDay.objects.update(contents=1)
    UsagePeriod.objects.update(contents=1)
    before = replace(
        TODAYS,
        measures=tuple(name for name in TODAYS.measures if name != "reasoning_tokens"),
        grains=tuple(name for name in TODAYS.grains if name != "user+subject"),
    )
    monkeypatch.setattr(contents, "VERSIONS", (before, TODAYS))
    return acme


def ask(organization: Organization, **rest: Any) -> Answer:
    query = UsageQuery.for_dates(organization, FIRST, LAST, **rest)
    return read([query])[query]


def keep(*days: date) -> None:
    UsageDay.objects.filter(date__in=days).update(kept_at="2025-05-01T00:00Z", kept_reason="calls")


def test_the_newest_version_is_what_is_rolled_up() -> None:
    assert TODAYS.measures == tuple(measure.name for measure in MEASURES)
    assert TODAYS.grains == tuple(grain.name for grain in (*GRAINS, *LATENCY_GRAINS))


def test_what_old_days_lack_is_read_from_the_log(usage: Organization) -> None:
    answer = ask(usage)
    assert answer.plan.log_days == tuple(DAYS)
    assert answer.totals.reasoning_tokens == 12
    assert answer.unknown == ()
    assert answer.plan.rolled_through == LAST


def test_a_grain_alone_that_old_days_lack_is_no_matter_to_others(
    usage: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = replace(TODAYS, grains=tuple(name for name in TODAYS.grains if name != "user+subject"))
    monkeypatch.setattr(contents, "VERSIONS", (before, TODAYS))
    assert ask(usage, by=("model",)).plan.aggregate_days == tuple(DAYS)
    assert ask(usage, by=("user",), filters=(("subject", ""),)).plan.log_days == tuple(DAYS)


def test_the_repair_renews_old_days_newest_first(usage: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RENEWED", 2)
    assert UsagePeriod.objects.filter(contents=1).exists()
    assert "2 days renewed" in tasks.repair()
    assert list(UsageDay.objects.order_by("date").values_list("contents", flat=True)) == [1, 2, 2]
    assert "1 day renewed" in tasks.repair()
    assert "renewed" not in tasks.repair()
    assert not UsagePeriod.objects.filter(contents=1).exists()
    answer = ask(usage)
    assert (answer.plan.log_days, answer.totals.reasoning_tokens) == ((), 12)


def test_a_late_call_renews_its_day(usage: Organization, call: Callable[..., Call]) -> None:
    record(usage, [call(f"{DAYS[0]}T11:00Z", reasoning_tokens=1, output_tokens=1)])
    roll_up()
    assert ask(usage).plan.aggregate_days == (DAYS[0],)


def test_what_kept_days_lack_is_not_known(usage: Organization) -> None:
    keep(DAYS[1])
    while protocol.renew(5).days:
        pass
    answer = ask(usage)
    assert answer.unknown == ("reasoning_tokens",)
    assert answer.totals.calls == 3
    document = json.loads(reports.as_json(answer))
    assert document["unknown"] == ["reasoning_tokens"]
    assert document["totals"]["reasoning_tokens"] is None
    assert document["totals"]["output_tokens"] == 27
    assert {row["reasoning_tokens"] for row in document["rows"]} == {None}
    assert reports.as_csv(answer).count("not known") == reports.as_spreadsheet(answer).count("not known") == 3
    assert reports.as_table(answer).count("not known") == 4
    line = provenance(answer.plan, answer.query.zone, answer.as_of)
    assert line.endswith("Not known for a part of these days: reasoning tokens.")
    march = UsageQuery.for_dates(usage, date(2025, 3, 1), LAST)
    assert read([march])[march].unknown == ()


def test_what_newer_code_rolled_up_is_read_from_the_log_or_not_known(usage: Organization, client: Client) -> None:
    UsageDay.objects.update(contents=contents.current() + 1)
    answer = ask(usage)
    assert (answer.plan.log_days, answer.totals.reasoning_tokens, answer.unknown) == (tuple(DAYS), 12, ())
    keep(DAYS[1])
    answer = ask(usage)
    assert answer.unknown == TODAYS.measures
    assert set(json.loads(reports.as_json(answer))["totals"].values()) == {None}
    with pytest.raises(QueryError, match="do not hold user"):
        ask(usage, by=("user",))
    client.force_login(make_member("alice@example.com", usage))
    assert client.get("/o/acme/", {"range": "custom", "from": str(FIRST), "to": str(LAST)}).status_code == 200


def test_a_grain_that_kept_days_lack_is_refused_in_words(usage: Organization) -> None:
    keep(DAYS[1])
    with pytest.raises(QueryError, match="Calls of 2025-02-04 are missing .* do not hold user with subject"):
        ask(usage, by=("user",), filters=(("subject", ""),))


def test_the_page_says_what_is_not_known(usage: Organization, client: Client) -> None:
    keep(*DAYS)
    client.force_login(make_member("alice@example.com", usage))
    page = client.get("/o/acme/", {"range": "custom", "from": str(FIRST), "to": str(LAST)}).content.decode()
    assert "Not known for a part of these days: reasoning tokens." in page


@pytest.fixture
def without_tiers(acme: Organization, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch) -> Organization:
    """Days that were rolled up, under the names that grains had, before tiers and keys were known."""
    older = tuple(replace(grain, dimensions=grain.older[0], older=()) if grain.older else grain for grain in GRAINS)
    calls = [call(f"{day}T10:00Z", cost="1", user_id="alice", service_tier="batch") for day in DAYS]
    record(acme, [one._replace(key="usage_0a1b2c3d") for one in calls])
    with monkeypatch.context() as then:
        then.setattr(day_sums, "GRAINS", older)
        roll_up()
    UsagePeriod.objects.all().delete()
    UsageDay.objects.update(contents=1)
    return acme


def test_old_names_of_grains_go_on_answering_and_what_they_lack_is_read_from_the_log(
    without_tiers: Organization,
) -> None:
    old = ask(without_tiers, by=("model",), filters=(("user", "alice"),))
    assert (old.plan.aggregate_days, old.totals.cost) == (tuple(DAYS), 3)
    for name, value in (("tier", "batch"), ("key", "usage_0a1b2c3d")):
        answer = ask(without_tiers, by=(name,))
        assert (answer.plan.log_days, answer.keys) == (tuple(DAYS), (value,))
    assert [day_sums.verify(day, [without_tiers.pk]) for day in DAYS] == [[], [], []]
    while protocol.renew(5).days:
        pass
    assert set(BreakdownChunk.objects.values_list("grain", flat=True)) == {grain.name for grain in GRAINS}
    assert ask(without_tiers, by=("tier",)).plan.log_days == ()


def test_a_tier_is_not_known_of_days_that_only_old_aggregates_hold(without_tiers: Organization) -> None:
    keep(DAYS[1])
    assert ask(without_tiers, by=("model",)).totals.calls == 3
    with pytest.raises(QueryError, match="Calls of 2025-02-04 are missing .* do not hold tier"):
        ask(without_tiers, by=("tier",))
