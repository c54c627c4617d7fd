"""POST /v1/traces in OpenAPI: what OTLP says of itself is not said again."""

from typing import Any

from aggregates.api.otlp.answers import JSON, PROTOBUF
from aggregates.api.otlp.wire import MAX_SPANS

Schema = dict[str, Any]

REQUEST = "An ExportTraceServiceRequest"
RESPONSE = "An ExportTraceServiceResponse"
REFUSALS = {
    "400": "It cannot be read as OTLP; not to be sent again.",
    "401": "There is no API key, or it is not in use.",
    "405": "The method is not POST.",
    "413": "It is too large, or holds too much: send fewer spans at once.",
    "415": "Another Content-Type or Content-Encoding than those that are known.",
    "429": "More requests in this minute than a key may send: again after Retry-After seconds.",
    "503": "The database cannot take it now, nothing was recorded: again after Retry-After seconds.",
}


def _encoded(description: str, message: str) -> Schema:
    binary = {"schema": {"description": f"{message} of OTLP, in protobuf."}}
    text = {"schema": {"type": "object", "description": f"{message} of OTLP, in its JSON."}}
    return {"description": description, "content": {PROTOBUF[0]: binary, JSON[0]: text}}


EXPORT_TRACES: Schema = {
    "operationId": "exportTraces",
    "summary": "Record calls out of OpenTelemetry's spans",
    "description": f"OTLP/HTTP, with up to {MAX_SPANS:,} spans, compressed with gzip or deflate or not. Those that "
    "are calls to a model are recorded, all others left out; a call that several instrumentations report counts once. "
    "What prompts and completions say is not read.",
    "requestBody": {"required": True, **_encoded("Spans.", REQUEST)},
    "responses": {
        "200": _encoded("The calls among the spans are in the log; partial_success tells of others.", RESPONSE),
        **{status: _encoded(said, "A google.rpc.Status, as errors are said") for status, said in REFUSALS.items()},
    },
}
