"""Each request has an id, which its answer tells; one that fails leaves a line in the log, without what it brought."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from aggregates.accounts import keys
from aggregates.models import Organization, User
from aggregates.ops.logs import filters
from aggregates.ops.logs.formats import TextLines
from tests.log_lines import LogLines, log_lines

PASSWORD = "correct horse"
SECRETS = ("typed-secret", "prompt of Alice", "token-in-query")


@pytest.fixture
def lines() -> Iterator[LogLines]:
    with log_lines() as written:
        yield written


@pytest.fixture
def visitor(alice: User) -> Client:
    """Alice, who sees what a browser is shown where something fails."""
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    client.force_login(alice)
    return client


@pytest.fixture
def broken(alice: User) -> None:
    """A column is not as the code has it, so what reads keys fails."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_apikey RENAME COLUMN prefix TO moved")


def test_a_page_that_fails_shows_the_id_of_its_line(visitor: Client, broken: None, lines: LogLines) -> None:
    page = visitor.get("/o/acme/keys/?secret=token-in-query", headers={"x-request-id": "of the client"})

    (line,) = lines.objects
    assert page.status_code == 500
    assert line["request_id"] == page["X-Request-ID"] != "of the client"
    assert f"<code>{line['request_id']}</code>" in page.content.decode()
    about = {name: line[name] for name in ("level", "view", "status", "method", "organization", "peer")}
    assert about == {
        "level": "ERROR",
        "view": "keys",
        "status": "500",
        "method": "GET",
        "organization": "acme",
        "peer": "127.0.0.1",
    }
    assert line["traceback"].endswith("django.db.utils.ProgrammingError")
    assert "psycopg.errors.UndefinedColumn 42703" in line["traceback"]
    assert 'File "' in line["traceback"]
    assert line["seconds"] >= 0


def test_the_api_says_the_id_too(acme: Organization, lines: LogLines) -> None:
    client = Client(raise_request_exception=False)
    secret = keys.create(acme, "web", None)[1].text
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_apikey RENAME COLUMN prefix TO moved")

    answer = client.post("/api/v1/usage", "{}", "application/json", headers={"authorization": f"Bearer {secret}"})

    (line,) = lines.objects
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert answer["X-Request-ID"] == line["request_id"] == answer.json()["request_id"]
    assert line["request_id"] in answer.json()["detail"]
    assert (line["view"], "UndefinedColumn" in line["traceback"]) == ("record-usage", True)


def test_otlp_says_the_id_in_its_own_way(acme: Organization, lines: LogLines) -> None:
    secret = keys.create(acme, "web", None)[1].text
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE aggregates_apikey RENAME COLUMN prefix TO moved")

    answer = Client(raise_request_exception=False).post(
        "/v1/traces", "{}", "application/json", headers={"authorization": f"Bearer {secret}"}
    )

    (line,) = lines.objects
    assert (answer.status_code, answer.json()["code"]) == (500, 13)
    assert line["request_id"] in answer.json()["message"]


def everything_secret(client: Client) -> dict[str, Any]:
    """What a request may bring that nobody should find in a log."""
    return {
        "headers": {
            "authorization": "Bearer usage_typed-secret",
            "x-csrftoken": client.cookies["csrftoken"].value if "csrftoken" in client.cookies else "typed-secret",
            "referer": "http://testserver/?token=token-in-query",
        }
    }


@pytest.mark.parametrize("formatter", [None, TextLines()], ids=["json", "text"])
def test_no_line_holds_a_secret_or_what_was_sent(
    visitor: Client, acme: Organization, formatter: logging.Formatter | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.get("/login/")
    visitor.cookies["csrftoken"] = "c" * 32
    hidden = [*SECRETS, PASSWORD, visitor.cookies[settings.SESSION_COOKIE_NAME].value, "c" * 32]
    secret = keys.create(acme, "web", None)[1].text
    sent = json.dumps({"timestamp": "2025-03-01T12:00:00Z", "model": "gpt-5", "user_id": "prompt of Alice"})

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError(f"cannot take {sent} of {PASSWORD}") from KeyError(SECRETS[1])

    with log_lines(formatter) as lines:
        monkeypatch.setattr("aggregates.ingest.record_within", fail)
        recorded = visitor.post(
            "/api/v1/usage?key=token-in-query",
            sent,
            "application/json",
            headers={"authorization": f"Bearer {secret}", "cookie": f"sessionid={hidden[4]}"},
        )
        form = {"login": "alice@example.com", "password": "typed-secret", "csrfmiddlewaretoken": "c" * 32}
        failed = visitor.post("/logout/?next=token-in-query", form, **everything_secret(visitor))
        refused = visitor.post("/logout/", {**form, "csrfmiddlewaretoken": "d" * 32})
        visitor.logout()
        visitor.cookies["csrftoken"] = "c" * 32
        visitor.post("/login/?token=token-in-query", form)

    said = lines.getvalue()
    assert (recorded.status_code, failed.status_code, refused.status_code) == (500, 302, 403)
    assert "A request failed." in said
    assert "A log-in failed" in said
    assert "ValueError" in said
    assert "KeyError" in said
    assert [word for word in (*hidden, secret) if word in said] == []


def test_a_failed_log_in_leaves_a_line(client: Client, alice: User, lines: LogLines) -> None:
    client.post("/login/", {"login": alice.email, "password": "wrong horse"})

    (line,) = lines.objects
    assert (line["level"], line["message"].startswith("A log-in failed")) == ("WARNING", True)
    assert "horse" not in lines.getvalue()


def test_who_sends_too_much_or_with_a_wrong_key_is_seen(
    client: Client, acme: Organization, lines: LogLines, settings: Any
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    secret = keys.create(acme, "web", None)[1].text

    for key in (secret, secret, secret, "usage_wrong"):
        client.post("/api/v1/usage", "[]", "application/json", headers={"authorization": f"Bearer {key}"})

    statuses = [(line["status"], line["level"], line["view"]) for line in lines.objects]
    assert statuses[-1] == ("401", "WARNING", "record-usage")
    assert ("429", "WARNING", "record-usage") in statuses


def test_what_is_no_failure_leaves_no_line(visitor: Client, lines: LogLines) -> None:
    for address in ("/o/acme/", "/o/other/", "/nowhere/", "/healthz", "/readyz", "/logout/", "/o/acme/calls/?from=x"):
        assert visitor.get(address)["X-Request-ID"]

    assert lines.getvalue() == ""


def test_a_file_that_breaks_off_leaves_a_line(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[bytes]:
        yield b"timestamp\n"
        raise RuntimeError(SECRETS[1])

    monkeypatch.setattr("aggregates.web.exports.calls.stream", broken)
    with log_lines() as lines:
        answer = visitor.get("/o/acme/calls.csv")

    (line,) = lines.objects
    assert (answer.status_code, line["view"], line["level"]) == (500, "calls-csv", "ERROR")
    assert line["traceback"].endswith("RuntimeError")
    assert line["request_id"] == answer["X-Request-ID"]
    assert SECRETS[1] not in lines.getvalue()


def test_a_host_that_is_not_ours_is_one_line_and_no_traceback(client: Client, lines: LogLines) -> None:
    assert client.get("/login/", headers={"host": "evil.example.com"}).status_code == 400

    (line,) = lines.objects
    assert (line["level"], line["logger"], "traceback" in line) == (
        *("WARNING", "django.security.DisallowedHost", False),
    )
    assert "evil.example.com" in line["message"]


def test_strangers_cannot_fill_the_log(
    client: Client, db: None, lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [6_000_000.0]
    monkeypatch.setattr(filters.time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(filters, "PER_MINUTE", 5)

    for _ in range(8):
        client.post("/api/v1/usage", "[]", "application/json")
    assert len(lines.objects) == 5
    seconds[0] += 60
    client.post("/api/v1/usage", "[]", "application/json")

    assert len(lines.objects) == 6
    assert lines.objects[-1]["left_out_before"] == 3


def test_a_line_of_text_is_one_line_whatever_is_in_it(lines: LogLines) -> None:
    with log_lines(TextLines()) as text:
        logging.getLogger("tests").error("one\ntwo\r\x1b[31m\u2028", extra={"fields": {"account": "a\nb"}})

    assert text.getvalue().count("\n") == 1
    assert "one\\ntwo\\r\\x1b[31m\\u2028 account=a\\nb" in text.getvalue()
