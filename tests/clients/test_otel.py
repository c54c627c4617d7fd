"""The OpenTelemetry SDK with an instrumentation of OpenAI's client: its calls end on the dashboard."""

import atexit
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pytest
from django.core.signals import request_started
from django.test import Client

from aggregates.accounts import keys
from aggregates.models import Organization, UsageLog, User
from tests.clients import model
from tests.clients.environments import HERE, python_of
from tests.patience import PATIENCE
from tests.warm import WarmProcess
from tests.web_server import WebServer

TYPES = {"http/protobuf": "application/x-protobuf", "http/json": "application/json"}
HEADERS = ["authorization=Bearer%20{}", "x-api-key={}"]


LOADED = (
    *("openai.resources.chat.completions", "openai.resources.embeddings", "opentelemetry.instrumentation.openai_v2"),
    *(f"opentelemetry.exporter.otlp.{form}.http.trace_exporter" for form in ("json", "proto")),
    "opentelemetry.sdk.trace.export",
)


@cache
def loaded() -> WarmProcess:
    """Return the process that has loaded what the program uses, which takes longer than its calls."""
    made = WarmProcess(plain(), modules=LOADED, python=python_of("otel"))
    atexit.register(made.end)
    return made


def plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_", "PYTHON"))}


def run(site: WebServer, key: str, **environment: str) -> None:
    """Let the program make its calls, and export their spans to the site."""
    said = {
        "OTEL_SERVICE_NAME": "billing-bot",
        "OTEL_EXPORTER_OTLP_ENDPOINT": site.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": HEADERS[0].format(key),
        "OTEL_EXPORTER_OTLP_TIMEOUT": str(PATIENCE),
        "OPENAI_API_KEY": "none",
        **environment,
    }
    with model.serving() as endpoint:
        said |= {"OPENAI_BASE_URL": f"{endpoint.url}/u-17/chat/openai/v1"}
        status, _, complained = loaded().run(HERE / "otel_app.py", **said)
    assert status == 0, complained
    assert "export" not in complained  # it complains of nothing else


@pytest.fixture
def requests() -> Iterator[list[tuple[str, str]]]:
    """Content-Type and Content-Encoding of the requests that the site gets with spans."""
    seen: list[tuple[str, str]] = []

    def note(environ: dict[str, str], **_: object) -> None:
        if environ["PATH_INFO"] == "/v1/traces":
            seen.append((environ["CONTENT_TYPE"], environ.get("HTTP_CONTENT_ENCODING", "")))

    request_started.connect(note)
    yield seen
    request_started.disconnect(note)


def calls_on_dashboard(client: Client, alice: User) -> int:
    """How many calls of u-17 Alice sees, of the last 30 days."""
    client.force_login(alice)
    page = client.get("/o/acme/").content.decode()
    found = re.search(r'id="table-user".*?>u-17</bdi></a>.*?<td class="number" title="(\d+)">', page, re.DOTALL)
    assert found, page
    return int(found[1])


@pytest.fixture
def key(acme: Organization) -> str:
    return keys.create(acme, "billing bot", None)[1].text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("compression", ["", "gzip"])
@pytest.mark.parametrize("protocol", TYPES)
def test_its_calls_are_on_the_dashboard(
    web_server: WebServer,
    key: str,
    alice: User,
    client: Client,
    requests: list[tuple[str, str]],
    protocol: str,
    compression: str,
) -> None:
    compressed = {"OTEL_EXPORTER_OTLP_COMPRESSION": compression} if compression else {}
    run(web_server, key, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, **compressed)
    assert set(requests) == {(TYPES[protocol], compression)}
    chat = {"operation": "chat", "model": "gpt-5-2025-08-07", "status": "ok", "input_tokens": model.INPUT}
    chat |= {"output_tokens": model.OUTPUT, "cached_tokens": 0}  # of these it tells nothing
    embedded = {"operation": "embeddings", "model": "text-embedding-3-small", "status": "ok"}
    embedded |= {"input_tokens": model.EMBEDDED, "output_tokens": 0, "cached_tokens": 0}
    failed = chat | {"model": model.BROKEN, "status": "error", "input_tokens": 0, "output_tokens": 0}
    expected = [chat, chat, embedded, failed]
    calls = UsageLog.objects.order_by("timestamp")
    assert list(calls.values(*chat)) == expected
    assert set(calls.values_list("user_id", "project", "provider", "cost_source")) == {
        ("u-17", "billing-bot", "openai", "table"),
        ("u-17", "billing-bot", "openai", "none"),  # nobody knows what a model that there is not would cost
    }
    assert all((datetime.now(UTC) - call.timestamp).total_seconds() < 600 for call in calls)
    assert calls_on_dashboard(client, alice) == 4


@pytest.mark.django_db(transaction=True)
def test_a_key_may_come_as_x_api_key(web_server: WebServer, key: str, alice: User, client: Client) -> None:
    run(web_server, key, OTEL_EXPORTER_OTLP_HEADERS=HEADERS[1].format(key))
    assert calls_on_dashboard(client, alice) == UsageLog.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_the_address_of_traces_may_be_one_of_its_own(
    web_server: WebServer, key: str, alice: User, client: Client
) -> None:
    run(
        web_server,
        key,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:9",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=another",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{web_server.url}/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=HEADERS[0].format(key),
    )
    assert calls_on_dashboard(client, alice) == UsageLog.objects.count() == 4
