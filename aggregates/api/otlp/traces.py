"""The endpoint: a request is read, its calls recorded, and its sender told in its own words."""

from collections.abc import Iterator
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates import ingest
from aggregates.api.body import bytes_of
from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers, json, wire
from aggregates.api.problems import ApiError
from aggregates.api.recording import Rejection, record_all
from aggregates.domain.calls import InvalidCall
from aggregates.ingest import Report
from aggregates.ingest.otlp.reports import reports_of
from aggregates.ingest.otlp.spans import Batch
from aggregates.models import ApiKey, Kind

MAX_JSON = 16_000_000  # bytes, decompressed: as text and as values it takes many times as much


@endpoint(Kind.RECORD, answers.refusal)
def traces(request: HttpRequest, key: ApiKey) -> HttpResponse:
    reports, rejections = list[Report](), list[Rejection]()
    check = ingest.retention_check(key.organization)
    for index, report in reports_of(Batch(_read(request))):
        try:
            if isinstance(report, InvalidCall):
                raise report
            if report.call:
                check(report.call)
            reports.append(report)
        except InvalidCall as invalid:
            rejections.append(Rejection(index, invalid.field, invalid.reason))
    record_all(key.organization, reports)
    return answers.exported(request, rejections)


def _read(request: HttpRequest) -> ExportTraceServiceRequest:
    """What is wanted of the request; raises Refused."""
    try:
        if request.content_type in answers.PROTOBUF:
            read = wire.thinned(b"".join(bytes_of(request)))
        elif request.content_type in answers.JSON:
            read = json.thinned(_at_most(MAX_JSON, bytes_of(request)))
        else:
            expected = f"{answers.PROTOBUF[0]} or {answers.JSON[0]}"
            raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Expected the Content-Type {expected}.")
    except (DecodeError, json.NoRequest):
        raise ApiError(HTTPStatus.BAD_REQUEST, "Expected an ExportTraceServiceRequest of OTLP.") from None
    except wire.TooMany as error:
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
    return read


def _at_most(limit: int, pieces: Iterator[bytes]) -> bytes:
    read = bytearray()
    for piece in pieces:
        read += piece
        if len(read) > limit:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected JSON of at most {limit:,} bytes.")
    return bytes(read)
