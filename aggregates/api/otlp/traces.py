"""The endpoint: a request is read, its calls recorded, and its sender told in its own words."""

from collections.abc import Iterator
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates import ingest
from aggregates.api.body import bytes_of
from aggregates.api.endpoint import bounded, endpoint
from aggregates.api.otlp import answers, json, wire
from aggregates.api.otlp.reports import ReportedCall, reported_calls
from aggregates.api.problems import ApiError, unavailable
from aggregates.api.recording import Rejection
from aggregates.domain.calls import InvalidCall
from aggregates.models import ApiKey, Kind, Organization

MAX_JSON = 16_000_000  # bytes, decompressed: as text and as values it takes many times as much


@endpoint(Kind.RECORD, answers.refusal)
def traces(request: HttpRequest, key: ApiKey) -> HttpResponse:
    told, rejections = reported_calls(_read(request))
    kept = list(_kept(key.organization, told, rejections))
    if kept:
        _record(key.organization, kept)
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


def _kept(organization: Organization, told: list[ReportedCall], rejections: list[Rejection]) -> Iterator[ReportedCall]:
    """The calls of days that the log keeps; the others are rejected."""
    check = ingest.retention_check(organization)
    for one in told:
        try:
            check(one.call)
        except InvalidCall as invalid:
            rejections.append(Rejection(one.index, invalid.field, invalid.reason))
        else:
            yield one


def _record(organization: Organization, told: list[ReportedCall]) -> None:
    reports = {one.call.request_id: one.report for one in told}
    try:
        with bounded():
            ingest.record(organization, (one.call for one in told), reports=reports)
    except InvalidCall:  # a month was dropped meanwhile; sent again, its calls are rejected one by one
        raise unavailable() from None
