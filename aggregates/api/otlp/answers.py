"""What OTLP's senders are answered, in the encoding of their request: see “OTLP/HTTP Response” in its specification."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import INTERNAL, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED, UNAVAILABLE
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from aggregates.api.otlp import wire
from aggregates.api.otlp.exported import Exported
from aggregates.api.problems import ApiError

PROTOBUF, JSON = ("application/x-protobuf", "application/protobuf"), ("application/json",)
CODES = {
    HTTPStatus.UNAUTHORIZED: UNAUTHENTICATED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: RESOURCE_EXHAUSTED,
    HTTPStatus.TOO_MANY_REQUESTS: RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: UNAVAILABLE,
    HTTPStatus.INTERNAL_SERVER_ERROR: INTERNAL,
}


@dataclass(frozen=True, slots=True)
class Response:
    """How a signal's requests are answered: the message, and its count of what was rejected."""

    message: type[Message]
    rejected: str


RESPONSES = {
    wire.TRACES.name: Response(ExportTraceServiceResponse, "rejected_spans"),
    wire.LOGS.name: Response(ExportLogsServiceResponse, "rejected_log_records"),
}


def message_of(exported: Exported, signal: wire.Signal) -> Message:
    """Say what became of a request, or nothing of it where all is as its sender expects."""
    response = RESPONSES[signal.name]
    answer: Any = response.message()
    if words := exported.words():
        setattr(answer.partial_success, response.rejected, len(exported.rejections))
        answer.partial_success.error_message = words
    return answer  # type: ignore[no-any-return]


def status_of(refused: ApiError) -> Status:
    """Say that a request was refused, and after how long it may come again if it may."""
    status = Status(code=CODES.get(refused.status, INVALID_ARGUMENT), message=refused.detail)
    if seconds := refused.headers.get("Retry-After"):
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=int(seconds))))
    return status


def exported(request: HttpRequest, signal: wire.Signal, exported: Exported) -> HttpResponse:
    return _encoded(request, message_of(exported, signal), HTTPStatus.OK, {})


def discarded(request: HttpRequest) -> HttpResponse:
    """Metrics: they tell of no single call."""
    return _encoded(request, ExportMetricsServiceResponse(), HTTPStatus.OK, {})


def refusal(request: HttpRequest, refused: ApiError) -> HttpResponse:
    return _encoded(request, status_of(refused), refused.status, refused.headers)


def _encoded(request: HttpRequest, message: Message, status: HTTPStatus, headers: dict[str, str]) -> HttpResponse:
    if request.content_type in JSON:
        return HttpResponse(MessageToJson(message, indent=None), JSON[0], status, headers=headers)
    return HttpResponse(message.SerializeToString(), PROTOBUF[0], status, headers=headers)
