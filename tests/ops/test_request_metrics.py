"""Requests are counted by view and status, with their times and errors, over all processes of the web server."""

import http.client
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection, transaction
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families as parse

from aggregates.models import User
from aggregates.ops import request_metrics
from tests.patience import PATIENCE, wait_until
from tests.serving import serving

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(text: str) -> Samples:
    """The counts of requests, each by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        if family.name.startswith("usagesite_request")
        for sample in family.samples
    }


def scrape(client: Client) -> Samples:
    return samples_of(client.get("/metrics", headers={"host": "localhost"}).content.decode())


def rise(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (f"usagesite_request{name}", tuple(sorted(labels.items())))
    return after.get(key, 0) - before.get(key, 0)


def test_requests_are_counted_by_view_and_status(client: Client, alice: User) -> None:
    before = scrape(client)
    client.get("/o/acme/?password=hidden")
    client.force_login(alice)
    client.get("/o/acme/")
    client.get("/o/other/")
    client.get("/nowhere/hidden/")
    after = scrape(client)

    assert [rise(before, after, "s_total", view="dashboard", status=status) for status in ("200", "302", "404")] == [
        1
    ] * 3
    assert rise(before, after, "s_total", view="none", status="404") == 1
    assert rise(before, after, "_duration_seconds_count", view="dashboard") == 3
    assert rise(before, after, "_duration_seconds_bucket", view="dashboard", le="+Inf") == 3
    assert rise(before, after, "_duration_seconds_sum", view="dashboard") > 0
    assert rise(before, after, "s_total", view="metrics", status="200") == 1
    assert "hidden" not in str(after)
    assert "acme" not in str(after)


def test_errors_are_counted_by_view_and_type(alice: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    before = scrape(client)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_apikey RENAME COLUMN prefix TO moved")
        client.get("/o/acme/keys/")
        transaction.set_rollback(True)
    after = scrape(client)

    assert rise(before, after, "_errors_total", view="keys", error="ProgrammingError") == 1
    assert rise(before, after, "s_total", view="keys", status="500") == 1


@pytest.fixture
def counted_by_servers(tmp_path: Path, transactional_db: None) -> Iterator[Callable[..., Any]]:
    """Asks a web server of several processes, with a folder for counts of its own."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "requests"),
    }
    with serving(**environment) as port:

        def ask(address: str) -> str:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            client.request("GET", address)
            text = client.getresponse().read().decode()
            client.close()
            return text

        yield ask


@pytest.mark.slow
def test_they_are_summed_over_all_processes_also_over_those_that_were_killed(
    counted_by_servers: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tmp_path / "requests"

    def answered() -> float:
        return samples_of(counted_by_servers("/metrics"))[
            ("usagesite_requests_total", (("status", "200"), ("view", "healthz")))
        ]

    asked = 0

    def counting() -> list[int]:
        """Who has counted a request; more are sent until there are two."""
        nonlocal asked
        asked += 1
        assert counted_by_servers("/healthz") == "ok\n"
        found = (request_metrics.OF_PROCESS.fullmatch(path.name) for path in folder.glob("counter_*.db"))
        return [pid for one in found if one and psutil.pid_exists(pid := int(one["process"]))]

    wait_until(lambda: len(counting()) == 2, "two processes answer")
    assert answered() == asked

    first = counting()[0]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(set(counting()) - {first}) == 2, "another has taken its place, and answers")

    assert answered() == asked
    assert not (folder / f"counter_{first}.db").exists()
    assert (folder / "counter_ended.db").exists()


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(request_metrics.FOLDER, str(tmp_path))
    return tmp_path


def test_with_the_last_process_counts_begin_anew(counts: Path) -> None:
    for name in ("counter_999999999.db", "histogram_999999999.db", "counter_ended.db"):
        (counts / name).write_bytes(b"")

    request_metrics.join()

    assert [path.name for path in counts.iterdir()] == ["lock"]


def test_a_folder_that_cannot_be_used_fails_no_request(
    client: Client, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setenv(request_metrics.FOLDER, "/dev/null/requests")

    assert client.get("/healthz").status_code == 200
    assert scrape(client) == {}
