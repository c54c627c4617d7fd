"""Requests that clients made, to be sent again without them: `recorded/NAME.json`, renewed by `make clients`.

Of each attribute that the site does not read only short ones are kept, and nothing of the machine it ran on.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates.ingest.otlp.wanted import OF_SPANS
from tests.api.otlp.conftest import as_json
from tests.clients.catalogue import Client
from tests.clients.door import Sent
from tests.clients.environments import HERE
from tests.clients.model import Answered, Usage

FOLDER = HERE / "recorded"
LONGEST = 80  # characters of an attribute that is not read
OF_RESOURCES = ("service.name", "telemetry.sdk.language")


def record(client: Client, sent: Iterable[Sent], account: Sequence[Answered]) -> None:
    """Write what the client sent, and the model's account."""
    content = {
        "account": [[*call[:-1], list(call.usage)] for call in account],
        "requests": [{"path": one.path, "body": _body(one)} for one in sent],
    }
    lines = [f'"account": {json.dumps(content["account"])}']
    lines += ['"requests": [\n' + ",\n".join(json.dumps(one) for one in content["requests"]) + "\n]"]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{client.name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read(client: Client) -> tuple[list[Answered], list[dict[str, Any]]]:
    """The model's account, and the requests: their paths and bodies as JSON has them."""
    content = json.loads((FOLDER / f"{client.name}.json").read_text())
    account = [Answered(*fields, Usage(*usage)) for *fields, usage in content["account"]]
    return account, content["requests"]


def _body(sent: Sent) -> Any:
    if "protobuf" not in sent.content_type:
        return json.loads(sent.body)
    request = ExportTraceServiceRequest.FromString(sent.body)
    for of_resource in request.resource_spans:
        _keep(of_resource.resource.attributes, OF_RESOURCES)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                del span.events[:]
                span.status.message = ""
                short = (one.key for one in span.attributes if len(one.value.SerializeToString()) <= LONGEST)
                _keep(span.attributes, {*OF_SPANS, *short})
    return as_json(request)


def _keep(attributes: Any, names: Iterable[str]) -> None:
    kept = [one for one in attributes if one.key in set(names)]
    del attributes[:]
    attributes.extend(kept)
