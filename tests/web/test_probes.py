"""Probes get an answer whatever the host, the scheme and the session; metrics only who may have them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.db.partitions import ensure_months_ahead
from aggregates.ingest import record
from aggregates.models import UsageLog
from aggregates.ops import health
from tests.processes import BASE
from tests.usagesite.conftest import Site
from tests.words import NO_ANSWER

TOKEN = "t" * 32
LOCAL = {"host": "localhost:8000"}


@pytest.fixture
def ready(db):
    ensure_months_ahead(clock.now())
    Schedule.objects.update(next_run=clock.now())


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ["10.0.0.7:8000", "usage.internal", "localhost", "not a host"])
def test_no_host_redirect_or_log_in_is_in_the_way(client, ready, settings, path, host):
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["usage.example.com"]

    answer = client.get(path, headers={"host": host})

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert not answer.cookies
    assert client.get("/login/", headers={"host": host}).status_code in {301, 400}


def test_that_the_process_lives_is_said_without_the_database(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert client.get("/healthz").content == b"ok\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_only_read(client, ready, path):
    assert client.head(path, headers=LOCAL).status_code == 200
    assert client.post(path, headers=LOCAL).status_code == 405


def test_a_ready_site_says_so(client, ready):
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": dict.fromkeys(health.CHECKS, True), "problems": []}


def test_a_site_that_is_not_ready_says_why_and_names_nobody(client, ready, acme, call):
    record(acme, [call("2025-03-01T10:00Z", user_id="secret-user")])
    UsageLog.objects.update(received_at="2025-03-01T10:00Z")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {check: check != "rolled_up" for check in health.CHECKS},
        "problems": [
            {
                "check": "rolled_up",
                "unready": True,
                "problem": "1 closed day not rolled up, the oldest 1 Mar 2025; "
                "the first waits since 2 Mar 2025 00:00 UTC.",
            }
        ],
    }
    body = answer.content.decode().lower() + client.get("/metrics", headers=LOCAL).content.decode().lower()
    assert "acme" not in body
    assert "secret-user" not in body


def test_what_does_not_make_the_site_unready_is_told_all_the_same(client, ready):
    Schedule.objects.filter(name="repair").update(next_run="2025-03-01T00:00Z")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["ready"], answer.json()["checks"]["tasks"]) == (200, True, False)


ASK = """
import json, django
django.setup()
from django.test import Client
client = Client()
print(json.dumps([(a.status_code, a.content.decode()) for a in map(client.get, ("/healthz", "/readyz"))]))
print(client.get("/metrics", headers={"host": "localhost"}).content.decode())
"""


def test_without_a_database_the_process_lives_and_is_not_ready(tmp_path: Path):
    unreachable = {"DATABASE_URL": "postgresql://nobody:hunter2@127.0.0.1:1/nothing", "USAGESITE_DATA": str(tmp_path)}
    (tmp_path / "static").mkdir()
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=BASE,
        env=os.environ | unreachable | {"DJANGO_SETTINGS_MODULE": "usagesite.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    first, _, metrics = answer.stdout.partition("\n")
    (alive, _), (unready, told) = json.loads(first)
    assert (alive, unready) == (200, 503)
    assert [problem["problem"] for problem in json.loads(told)["problems"]] == [NO_ANSWER]
    assert "usagesite_database_up 0.0" in metrics
    assert "hunter2" not in answer.stdout


def test_without_tables_the_site_is_not_ready_and_metrics_say_so(tmp_path: Path):
    site = Site(tmp_path / "data")
    ours = {"USAGESITE_DATA": str(site.place.data), "DJANGO_SETTINGS_MODULE": "usagesite.settings"}
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", ASK], cwd=BASE, env=kept | ours, capture_output=True, text=True, check=True
        )
    finally:
        site.stop()

    first, _, metrics = answer.stdout.partition("\n")
    (alive, _), (unready, told) = json.loads(first)
    assert (alive, unready) == (200, 503)
    assert [problem["check"] for problem in json.loads(told)["problems"]] == ["migrations"]
    assert "usagesite_ready 0.0" in metrics
    assert "usagesite_database_up 1.0" in metrics
    assert "usagesite_pending_migrations" in metrics


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {"host": "localhost"}, 200),
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, 200),
        ("127.8.8.8", {"host": "localhost:8000"}, 200),
        ("::1", {"host": "[::1]:8000"}, 200),
        ("::ffff:127.0.0.1", {"host": "localhost"}, 200),
        ("10.0.0.7", {"host": "localhost"}, 401),
        ("2001:db8::1", {"host": "localhost"}, 401),
        ("::ffff:10.0.0.7", {"host": "localhost"}, 401),
        ("", {"host": "localhost"}, 401),
        ("127.0.0.1", {"host": "usage.example.com"}, 401),
        ("127.0.0.1", {"host": "localhost.example.com"}, 401),
        ("127.0.0.1", {"host": "127.0.0.1.example.com"}, 401),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "10.0.0.7"}, 401),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": ""}, 401),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=10.0.0.7"}, 401),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-proto": "https"}, 401),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-host": "usage.example.com"}, 401),
        ("127.0.0.1", {"host": "localhost", "x-real-ip": "127.0.0.1"}, 401),
        ("127.0.0.1", {"host": "localhost", "via": "1.1 proxy"}, 401),
        ("10.0.0.7", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("10.0.0.7", {"authorization": f"bearer {TOKEN}", "x-forwarded-for": "10.0.0.7"}, 200),
        ("10.0.0.7", {"authorization": f"Bearer {TOKEN}x"}, 401),
        ("10.0.0.7", {"authorization": f"Bearer {TOKEN[1:]}"}, 401),
        ("10.0.0.7", {"authorization": "Bearer"}, 401),
        ("10.0.0.7", {"authorization": "Bearer tökén"}, 401),
        ("10.0.0.7", {"authorization": f"Basic {TOKEN}"}, 401),
        ("10.0.0.7", {"authorization": TOKEN}, 401),
    ],
)
def test_metrics_are_for_this_machine_and_for_who_holds_the_token(ready, settings, peer, headers, status):
    settings.METRICS_TOKEN = TOKEN

    answer = Client(REMOTE_ADDR=peer).get("/metrics", headers=headers)

    assert answer.status_code == status
    assert (b"usagesite_ready" in answer.content) is (status == 200)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]", "usage.example.com", ""])
def test_where_others_are_served_no_host_that_a_client_names_makes_it_one_of_this_machine(ready, settings, host):
    settings.METRICS_TOKEN, settings.THIS_MACHINE_ONLY = TOKEN, False

    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics", headers={"host": host}).status_code == 401
    right = {"host": host, "authorization": f"Bearer {TOKEN}"}
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics", headers=right).status_code == 200


@pytest.mark.parametrize(("hosts", "alone"), [("", True), ("127.0.0.1", True), ("localhost,usage.example.com", False)])
def test_whether_others_are_served_the_settings_say(tmp_path: Path, hosts: str, alone: bool):
    said = subprocess.run(
        [sys.executable, "-c", "from usagesite.settings import THIS_MACHINE_ONLY; print(THIS_MACHINE_ONLY)"],
        cwd=BASE,
        env=os.environ | {"USAGESITE_DATA": str(tmp_path), "ALLOWED_HOSTS": hosts},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == f"{alone}\n"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer x"])
def test_without_a_token_in_the_settings_none_is_right(ready, settings, authorization):
    settings.METRICS_TOKEN = ""

    answer = Client(REMOTE_ADDR="10.0.0.7").get("/metrics", headers={"authorization": authorization})

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
