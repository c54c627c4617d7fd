"""Requests that clients made, to be sent again without them: `recorded/NAME.json`, renewed by `make clients`.

Only what the site reads is kept of spans and log records, and of LiteLLM's events nothing that is of messages or of the
machine.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from aggregates.ingest.otlp.spans import NO_SERVICE
from aggregates.ingest.otlp.wanted import OF_LOGS, OF_SPANS
from tests.api.otlp.conftest import as_json
from tests.clients.catalogue import Client
from tests.clients.door import Sent
from tests.clients.environments import HERE
from tests.clients.model import Answered, Usage

FOLDER = HERE / "recorded"
NOT_KEPT = ("messages", "response", "hidden_params", "model_map_information", "error_information", "error_str")
METRICS, LOGS = "/v1/metrics", "/v1/logs"
OF_RESOURCES = ("service.name", "telemetry.sdk.language")


def path_of(client: Client) -> Path:
    return FOLDER / f"{client.name}.json"


def record(client: Client, sent: Iterable[Sent], account: Sequence[Answered]) -> None:
    """Write what the client sent, and the model's account."""
    calls = json.dumps([[*call[:-1], list(call.usage)] for call in account])
    told = (one for one in sent if one.path != METRICS)
    requests = ",\n".join(json.dumps({"path": one.path, "body": _body(one)}, separators=(",", ":")) for one in told)
    FOLDER.mkdir(exist_ok=True)
    path_of(client).write_text(f'{{\n"account": {calls},\n"requests": [\n{requests}\n]\n}}\n')


def read(client: Client) -> tuple[list[Answered], list[dict[str, Any]]]:
    """The model's account, and the requests: their paths and bodies as JSON has them."""
    content = json.loads(path_of(client).read_text())
    account = [Answered(*fields, Usage(*usage)) for *fields, usage in content["account"]]
    return account, content["requests"]


def _body(sent: Sent) -> Any:
    if "protobuf" not in sent.content_type:
        return [_without(event) for event in json.loads(sent.body)]
    if sent.path == LOGS:
        return _log_records(ExportLogsServiceRequest.FromString(sent.body))
    request = ExportTraceServiceRequest.FromString(sent.body)
    for of_resource in request.resource_spans:
        _keep_of_resource(of_resource.resource)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                del span.events[:]
                span.status.message = ""
                _keep(span.attributes, OF_SPANS)
    return as_json(request)


def _log_records(request: ExportLogsServiceRequest) -> Any:
    for of_resource in request.resource_logs:
        _keep_of_resource(of_resource.resource)
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                record.ClearField("body")
                _keep(record.attributes, OF_LOGS)
    return as_json(request)


def _keep_of_resource(resource: Resource) -> None:
    _keep(resource.attributes, OF_RESOURCES)
    for one in resource.attributes:  # SDKs name a program that has no name after a path
        one.value.string_value = re.sub(f"^({NO_SERVICE}).*", r"\1", one.value.string_value)


def _without(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in NOT_KEPT and value not in (None, "", [], {})}


def _keep(attributes: Any, names: Iterable[str]) -> None:
    kept = [one for one in attributes if one.key in set(names)]
    del attributes[:]
    attributes.extend(kept)
