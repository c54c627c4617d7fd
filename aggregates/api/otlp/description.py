"""OTLP's addresses in OpenAPI: what OTLP says of itself is not said again."""

from typing import Any

from aggregates.api.otlp.answers import JSON, PROTOBUF
from aggregates.api.otlp.wire import MAX_SPANS

Schema = dict[str, Any]

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


def _exported(operation: str, summary: str, description: str, what: str, message: str, taken: str) -> Schema:
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "requestBody": {"required": True, **_encoded(what, f"An {message}Request")},
        "responses": {
            "200": _encoded(taken, f"An {message}Response"),
            **{status: _encoded(said, "A google.rpc.Status, as errors are said") for status, said in REFUSALS.items()},
        },
    }


RECORDED = (
    "The calls among them are in the log. partial_success counts those that were rejected, and tells of these, of "
    "fields that did not fit, of what was not understood, and of calls that counted already."
)
EXPORT_TRACES = _exported(
    "exportTraces",
    "Record calls out of OpenTelemetry's spans",
    f"OTLP/HTTP, with up to {MAX_SPANS:,} spans, compressed with gzip or deflate or not. Those that "
    "are calls to a model are recorded, all others left out; a call that several instrumentations report counts once. "
    "What prompts and completions say is not read.",
    "Spans.",
    "ExportTraceService",
    RECORDED,
)
EXPORT_LANGFUSE_TRACES = {
    **EXPORT_TRACES,
    "operationId": "exportLangfuseTraces",
    "summary": "The same at the path to which Langfuse's SDKs post",
}
EXPORT_LOGS = _exported(
    "exportLogs",
    "Record calls out of the log records of coding assistants",
    f"OTLP/HTTP, with up to {MAX_SPANS:,} log records. Those in which Claude Code, Codex and Gemini CLI tell a call "
    "are recorded, all others left out. Bodies of records are not read.",
    "Log records.",
    "ExportLogsService",
    RECORDED,
)
EXPORT_METRICS = _exported(
    "exportMetrics",
    "Take metrics, and discard them",
    "For SDKs that send all signals to one endpoint: metrics tell of no single call.",
    "Metrics.",
    "ExportMetricsService",
    "They are discarded.",
)
