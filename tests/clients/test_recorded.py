"""What clients were seen to send is sent again: what the log then holds is the model's account of that time."""

import base64
import json
from typing import Any

import pytest
from django.test import Client as Browser
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates.models import Organization
from tests.clients import comparison, recorded
from tests.clients.catalogue import CLIENTS, Client

RECORDED = [client for client in CLIENTS if recorded.path_of(client).exists()]
IDS = ("traceId", "spanId", "parentSpanId")


def test_all_clients_are_recorded() -> None:
    assert {path.stem for path in recorded.FOLDER.glob("*.json")} <= {client.name for client in CLIENTS}
    assert len(RECORDED) > 10


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
@pytest.mark.parametrize("client", RECORDED, ids=lambda client: client.name)
@pytest.mark.django_db
def test_its_calls_are_the_account_of_the_model(
    client: Client, encoding: str, browser: Browser, acme: Organization, secret: str
) -> None:
    account, requests = recorded.read(client)
    for request in requests:
        is_protobuf = encoding == "protobuf" and isinstance(request["body"], dict)
        body = as_protobuf(request["body"]) if is_protobuf else json.dumps(request["body"]).encode()
        content_type = "application/x-protobuf" if is_protobuf else "application/json"
        headers = {"Authorization": f"Bearer {secret}"}
        answer = browser.post(request["path"], body, content_type=content_type, headers=headers)
        assert answer.status_code == 200, answer.content
    found = comparison.counted(acme, client.untold)
    assert comparison.differences(comparison.expected(account, client.untold), found) == []


def as_protobuf(body: Any) -> bytes:
    message = ExportLogsServiceRequest() if "resourceLogs" in body else ExportTraceServiceRequest()
    return ParseDict(with_bytes(body), message).SerializeToString()


def with_bytes(value: Any) -> Any:
    """Ids as protobuf's own JSON has them: OTLP's has them in hexadecimal digits."""
    if isinstance(value, list):
        return [with_bytes(one) for one in value]
    if isinstance(value, dict):
        return {
            name: base64.b64encode(bytes.fromhex(one)).decode() if name in IDS else with_bytes(one)
            for name, one in value.items()
        }
    return value


@pytest.fixture
def browser() -> Browser:
    return Browser()
