"""What OTLP's senders are answered, in the encoding of their request: see “OTLP/HTTP Response” in its specification."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED, UNAVAILABLE
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from aggregates.api.problems import ApiError
from aggregates.api.recording import Rejection

PROTOBUF, JSON = ("application/x-protobuf", "application/protobuf"), ("application/json",)
MAX_TOLD = 5  # rejected spans of which the reason is told: they are often all the same
CODES = {
    HTTPStatus.UNAUTHORIZED: UNAUTHENTICATED,
    HTTPStatus.TOO_MANY_REQUESTS: RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: UNAVAILABLE,
}


def exported(request: HttpRequest, rejections: list[Rejection]) -> HttpResponse:
    """The spans are recorded, but for these."""
    answer = ExportTraceServiceResponse()
    if rejections:
        reasons = [
            f"span {one.index}: {one.field}: {one.reason}" if one.field else f"span {one.index}: {one.reason}"
            for one in rejections[:MAX_TOLD]
        ]
        more = len(rejections) - len(reasons)
        message = "; ".join([*reasons, *([f"and {more:,} more"] if more else [])])
        answer.partial_success.CopyFrom(
            ExportTracePartialSuccess(rejected_spans=len(rejections), error_message=message)
        )
    return _encoded(request, answer, HTTPStatus.OK, {})


def refusal(request: HttpRequest, refused: ApiError) -> HttpResponse:
    status = Status(code=CODES.get(refused.status, INVALID_ARGUMENT), message=refused.detail)
    return _encoded(request, status, refused.status, refused.headers)


def _encoded(request: HttpRequest, message: Message, status: HTTPStatus, headers: dict[str, str]) -> HttpResponse:
    if request.content_type in JSON:
        return HttpResponse(MessageToJson(message, indent=None), JSON[0], status, headers=headers)
    return HttpResponse(message.SerializeToString(), PROTOBUF[0], status, headers=headers)
