"""The page “Connect”: what it has one copy agrees with the documents, and the first call shows, with what it lacks."""

import json
import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from aggregates.accounts import access, keys
from aggregates.domain.calls import Call, with_key
from aggregates.ingest import record
from aggregates.models import ApiKey, Kind, Organization, Role, User
from aggregates.web.pages.clients import CLIENTS, filled_in
from tests.fixtures import make_member
from tests.processes import BASE

URL, FIRST = "/o/acme/connect/", "/o/acme/connect/first/"
SECRET = re.compile(r"usage_[0-9a-f]{8}_[0-9a-f]{64}")
DOCUMENTS = "".join((BASE / "docs" / name).read_text() for name in ("sending-usage.md", "importing.md"))
SNIPPETS = [snippet for client in CLIENTS for snippet in client.snippets]
FIELDS = next(each for each in SNIPPETS if each.text.startswith("timestamp,")).text.splitlines()[0].split(",")
# Settings, addresses, headers, fields of calls, columns, and whatever else has a name of its own.
NAMES = re.compile(
    r"\b[A-Z][A-Z0-9]+_[A-Z_]+\b|\{site\}(/[\w/]+)|\b(?:Content|authorization|Bearer|application)[\w/%-]*"
    r'|"([a-z]+(?:[_.][a-z_]+)+)"|\b(?:experimental_telemetry|functionId|registerTelemetry|GenericAPILogger|max_retries'
    r"|turn_off_message_logging|async_send_batch|spend_logs_metadata)\b"
)


def names_of(text: str) -> set[str]:
    return {next(filter(None, (*found.groups(), found[0]))) for found in NAMES.finditer(text)}


def test_names_in_snippets_are_those_of_the_documents() -> None:
    names = set().union(*(names_of(each.text) for each in SNIPPETS), FIELDS)
    assert {"/api/v1/usage", "/api/v1/litellm", "OTEL_EXPORTER_OTLP_HEADERS", "cache_write_tokens"} <= names
    assert {name for name in names if name not in DOCUMENTS} == set()


def test_each_client_leads_to_its_part_of_the_documents() -> None:
    headings = re.findall(r"^#+ (.*)$", (BASE / "docs/sending-usage.md").read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(",", "").replace(" ", "-") for heading in headings}
    assert {client.document for client in CLIENTS} <= anchors


def test_nothing_is_left_to_fill_in() -> None:
    for client in CLIENTS:
        for snippet in filled_in(client, "https://usage.example.com", "usage_1", "2025-07-01T00:00:00Z").snippets:
            assert not re.search(r"\{(site|key|now)\}", snippet.text)


def test_who_may_make_keys_makes_one_that_is_filled_in_everywhere(
    client: Client, alice: User, acme: Organization
) -> None:
    client.force_login(alice)
    assert "YOUR_KEY" in client.get("/o/acme/").content.decode()  # an empty organization opens here

    page = client.post(URL, {"name": "checkout"}, headers={"host": "localhost:8443"}).content.decode()

    (text,) = set(SECRET.findall(page))
    assert access.key_for(text, Kind.RECORD).name == "checkout"
    assert page.count(text) > len(CLIENTS)
    assert "YOUR_KEY" not in page
    assert "http://localhost:8443/api/v1/usage" in page
    assert text not in client.get(URL).content.decode()
    assert client.get(URL, headers={"host": "elsewhere.example.com"}).status_code == 400


def test_behind_tls_the_address_says_so(client: Client, alice: User, settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    client.force_login(alice)
    page = client.get(URL, headers={"host": "localhost", "x-forwarded-proto": "https"}).content.decode()
    assert "curl https://localhost/api/v1/usage" in page


def test_others_read_whom_to_ask(client: Client, acme: Organization) -> None:
    client.force_login(make_member("bob@example.com", acme, Role.ANALYST))
    page = client.get("/o/acme/").content.decode()
    assert "Owners and admins of" in page
    assert '<button type="submit" class="button button-small button-primary">' not in page
    assert client.post(URL, {"name": "mine"}).status_code == 404
    assert not ApiKey.objects.exists()


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    made, _ = keys.create(acme, "checkout", None)
    return made


def test_it_waits_for_a_call_of_the_key_and_says_what_that_lacks(
    client: Client, alice: User, acme: Organization, key: ApiKey, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    record(acme, [call("2025-03-01T12:00Z", cost="1", user_id="alice")])  # another program's
    waiting = client.get(FIRST, {"key": key.pk}).content.decode()
    assert "Waiting for a call with this key" in waiting
    again = re.search(r'hx-get="([^"]+)"', waiting)
    assert again
    assert client.get(again[1].replace("&amp;", "&")).status_code == 204  # nothing is exchanged
    assert "Look again" in client.get(FIRST, {"key": key.pk, "until": 1}).content.decode()  # long ago

    body = {"timestamp": f"{key.created_at:%Y-%m-%dT%H:%M:%SZ}", "model": "o9-unknown", "input_tokens": 5}
    secret = keys.rotate(acme, key.pk, alice)[1].text
    sent = client.post(
        "/api/v1/usage", json.dumps(body), "application/json", headers={"authorization": f"Bearer {secret}"}
    )
    assert sent.json()["accepted"] == 1
    successor = ApiKey.objects.get(prefix=secret[:14])
    came = client.get(FIRST, {"key": successor.pk, "until": 1, "client": "litellm"}).content.decode()
    assert "o9-unknown" in came
    assert "<b>No user</b>: set <code>user=&quot;u-17&quot; in the call</code>" in came
    assert '<a href="/o/acme/prices/">Set a price</a>' in came
    assert f"?range=custom&amp;from={key.created_at:%Y-%m-%d}" in came
    assert "hx-get" not in came  # it waits no longer


def test_what_was_rejected_is_told(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    _, secret = keys.create(acme, "checkout", None)
    client.force_login(alice)
    bad = {"timestamp": "2025-07-01T00:00:00Z", "prompt": "a secret of somebody"}
    client.post(
        "/api/v1/usage", json.dumps(bad), "application/json", headers={"authorization": f"Bearer {secret.text}"}
    )
    told = client.get(FIRST).content.decode()
    assert "Something came, and is not in the log" in told
    assert "a secret of somebody" not in told


def test_a_key_of_others_is_not_waited_for(
    client: Client, alice: User, other: Organization, call: Callable[..., Call]
) -> None:
    key, _ = keys.create(other, "theirs", None)
    ApiKey.objects.update(last_used_at=key.created_at)
    record(other, [with_key(call(f"{key.created_at:%Y-%m-%dT%H:%MZ}", model="theirs-1"), key.prefix)])
    client.force_login(alice)
    assert "theirs" not in client.get(FIRST, {"key": key.pk}).content.decode()
