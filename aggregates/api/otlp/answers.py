"""What OTLP's senders are answered, in the encoding of their request: see “OTLP/HTTP Response” in its specification."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED, UNAVAILABLE
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from aggregates.api.otlp import wire
from aggregates.api.problems import ApiError
from aggregates.api.recording import Rejection

PROTOBUF, JSON = ("application/x-protobuf", "application/protobuf"), ("application/json",)
MAX_TOLD = 5  # rejected spans of which the reason is told: they are often all the same
CODES = {
    HTTPStatus.UNAUTHORIZED: UNAUTHENTICATED,
    HTTPStatus.TOO_MANY_REQUESTS: RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Response:
    """How a signal's requests are answered: the message, its count of what was rejected, and one item's name."""

    message: type[Message]
    rejected: str
    item: str


RESPONSES = {
    wire.TRACES.name: Response(ExportTraceServiceResponse, "rejected_spans", "span"),
    wire.LOGS.name: Response(ExportLogsServiceResponse, "rejected_log_records", "log record"),
}


def exported(
    request: HttpRequest, signal: wire.Signal, rejections: list[Rejection], misfits: list[Rejection]
) -> HttpResponse:
    """The calls are recorded, but for these, and those of which a field did not fit without that field."""
    response = RESPONSES[signal.name]
    answer: Any = response.message()
    if rejections or misfits:
        setattr(answer.partial_success, response.rejected, len(rejections))
        answer.partial_success.error_message = _reasons(response.item, [*rejections, *misfits])
    return _encoded(request, answer, HTTPStatus.OK, {})


def discarded(request: HttpRequest) -> HttpResponse:
    """Metrics: they tell of no single call."""
    return _encoded(request, ExportMetricsServiceResponse(), HTTPStatus.OK, {})


def _reasons(item: str, told: list[Rejection]) -> str:
    reasons = [
        f"{item} {one.index}: {one.field}: {one.reason}" if one.field else f"{item} {one.index}: {one.reason}"
        for one in told[:MAX_TOLD]
    ]
    more = len(told) - len(reasons)
    return "; ".join([*reasons, *([f"and {more:,} more"] if more else [])])


def refusal(request: HttpRequest, refused: ApiError) -> HttpResponse:
    status = Status(code=CODES.get(refused.status, INVALID_ARGUMENT), message=refused.detail)
    return _encoded(request, status, refused.status, refused.headers)


def _encoded(request: HttpRequest, message: Message, status: HTTPStatus, headers: dict[str, str]) -> HttpResponse:
    if request.content_type in JSON:
        return HttpResponse(MessageToJson(message, indent=None), JSON[0], status, headers=headers)
    return HttpResponse(message.SerializeToString(), PROTOBUF[0], status, headers=headers)
