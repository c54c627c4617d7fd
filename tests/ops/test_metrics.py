"""The metrics are as Prometheus parses them, and as the database has them at each scrape."""

import re
from pathlib import Path

import pytest
from django.test import Client
from django_q.models import Schedule
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

import aggregates
from aggregates.db import clock
from aggregates.ingest import record
from aggregates.models import DailyAggregate, UsageLog
from aggregates.ops import health, tasks
from tests.processes import BASE

COUNTED = {f"usagesite_request{name}" for name in ("s", "_errors", "_duration_seconds")} | {"usagesite_reads"}
DOCUMENTED = re.compile(r"^\| `(usagesite_\w+)`", re.MULTILINE)


def scrape(parser=parse, **headers: str) -> dict[str, dict[tuple[str, ...], float]]:
    answer = Client().get("/metrics", headers={"host": "localhost", **headers})
    assert answer.status_code == 200
    families = list(parser(answer.content.decode()))
    assert all(family.documentation for family in families)
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples} for family in families
    }


@pytest.fixture
def site(acme, other, call):
    """One day was found to differ tonight, one is stale, and one is not rolled up."""
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-02T10:00Z")])
    tasks.nightly()
    DailyAggregate.objects.filter(date="2025-03-01").update(total_cost=99)
    tasks.nightly()
    record(acme, [call("2025-03-02T11:00Z")])
    record(other, [call("2025-03-03T10:00Z")])
    UsageLog.objects.filter(organization=other).update(received_at="2025-03-03T10:00Z")
    Schedule.objects.update(next_run=clock.now())
    return acme


def test_the_state_in_numbers(site):
    metrics = scrape()

    expected = {"database_up": 1, "ready": 0, "pending_migrations": 0, "missing_partitions": 0}
    expected |= {"unrolled_days": 1, "stale_days": 1, "differing_days": 1}
    assert {name: metrics[f"usagesite_{name}"][()] for name in expected} == expected
    assert metrics["usagesite_problems"] == {
        (check,): float(check in ("rolled_up", "verified")) for check in health.CHECKS
    }
    assert metrics["usagesite_unrolled_wait_seconds"][()] > 86_400
    assert 0 <= metrics["usagesite_stale_wait_seconds"][()] < 600
    assert set(metrics["usagesite_task_overdue_seconds"]) == {("nightly",), ("repair",)}
    of_the_last_night = ("failed", "compared_days", "differing_days")
    assert [metrics[f"usagesite_last_run_{name}"][("nightly",)] for name in of_the_last_night] == [0, 2, 1]
    assert metrics["usagesite_last_run_duration_seconds"][("nightly",)] > 0
    now = clock.now().timestamp()
    for name in ("last_run_start", "last_success"):
        assert now - 600 < metrics[f"usagesite_{name}_timestamp_seconds"][("nightly",)] <= now


def test_each_scrape_reads_again(site, call):
    before = scrape()["usagesite_unrolled_days"][()]

    tasks.repair()

    assert (before, scrape()["usagesite_unrolled_days"][()]) == (1, 0)
    assert scrape()["usagesite_last_run_days"] == {("nightly",): 0, ("repair",): 2}


def test_the_newer_format_is_there_for_who_asks(site):
    openmetrics = scrape(parse_openmetrics, accept="application/openmetrics-text; version=1.0.0")

    assert set(openmetrics) == set(scrape())


def test_every_metric_is_documented_and_no_other(site):
    documented = DOCUMENTED.findall((Path(BASE) / "docs" / "operations.md").read_text())
    documented = [name.removesuffix("_total") for name in documented]  # as Prometheus calls its counters

    assert sorted(documented) == sorted(scrape())


def test_no_label_names_an_organization(site):
    of_state = {name: values for name, values in scrape().items() if name not in COUNTED}
    labels = {label for values in of_state.values() for labels in values for label in labels}

    assert labels == {*health.CHECKS, "nightly", "repair", aggregates.__version__}
