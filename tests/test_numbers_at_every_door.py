"""At no door are numbers with underscores, or with the digits of other scripts, taken for tokens or cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from aggregates.accounts import keys
from aggregates.domain.calls import InvalidCall, parse_call
from aggregates.models import Organization, PriceOverride, UsageLog, User
from tests.api.otlp.conftest import CHAT, request_of, span

NUMBERS = ("1_000", "\u0661\u0662", "\uff11\uff12", "1_0.5")
COUNT = "expected a whole number"
FIELDS = {"input_tokens": COUNT, "latency_ms": COUNT, "cost": "expected an amount"}


@pytest.fixture
def bearer(acme: Organization) -> dict[str, str]:
    return {"authorization": f"Bearer {keys.create(acme, 'web', None)[1].text}"}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_call(field: str, number: str) -> None:
    with pytest.raises(InvalidCall, match=f"{field}: {FIELDS[field]}"):
        parse_call({"timestamp": "2025-03-01T10:00Z", "model": "gpt-5", field: number})
    with pytest.raises(InvalidCall, match="units: "):
        parse_call({"timestamp": "2025-03-01T10:00Z", "model": "gpt-5", "units": {"web_searches": number}})


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", FIELDS)
def test_the_api(client: Client, bearer: dict[str, str], field: str, number: str) -> None:
    row = {"timestamp": "2025-03-01T10:00Z", "model": "gpt-5", field: number}
    answer = client.post("/api/v1/usage", json.dumps([row]), "application/json", headers=bearer).json()

    assert [(one["field"], one["reason"].startswith(FIELDS[field])) for one in answer["rejections"]] == [(field, True)]
    assert not UsageLog.objects.exists()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["gen_ai.usage.input_tokens", "gen_ai.usage.cost"])
@pytest.mark.parametrize("kind", ["stringValue", "intValue", "doubleValue"])
def test_opentelemetry(client: Client, bearer: dict[str, str], name: str, number: str, kind: str) -> None:
    """Its JSON writes whole numbers as text."""
    from google.protobuf.json_format import MessageToDict

    request: Any = MessageToDict(request_of(span(attributes=CHAT)))
    (attributes,) = (
        each["attributes"] for one in request["resourceSpans"] for s in one["scopeSpans"] for each in s["spans"]
    )
    attributes.append({"key": name, "value": {kind: number}})
    client.post("/v1/traces", json.dumps(request), "application/json", headers=bearer)

    call = UsageLog.objects.first()
    assert call is None or (call.input_tokens, call.cost_source == "reported") == (0, False)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_file(acme: Organization, tmp_path: Path, field: str, number: str) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"timestamp,model,{field}\n2025-03-01T10:00Z,gpt-5,{number}\n")

    with pytest.raises(CommandError, match="."):
        call_command("import_usage", str(path), organization="acme")

    assert not UsageLog.objects.exists()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_form(client: Client, acme: Organization, alice: User, number: str) -> None:
    client.force_login(alice)
    page = client.post("/o/acme/prices/", {"pattern": "gpt-5", "input": number, "output": "1"})
    units = client.post(
        "/o/acme/prices/", {"pattern": "gpt-5", "input": "1", "output": "1", "units": f"web_searches={number}"}
    )

    for answer in (page, units):
        assert "Expected a number, such as 12 or 0.5." in answer.content.decode()
    assert not PriceOverride.objects.exists()


def test_the_reading_api(client: Client, acme: Organization) -> None:
    from aggregates.models import Kind

    secret = keys.create(acme, "report", None, Kind.READ)[1].text
    answer = client.get("/api/v1/usage", {"limit": "1_0"}, headers={"authorization": f"Bearer {secret}"})

    assert (answer.status_code, "Expected a number" in answer.json()["detail"]) == (400, True)
