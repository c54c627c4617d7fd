"""What the endpoints of all signals do: read a request within limits, and record the calls that it tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from google.protobuf.message import DecodeError

from aggregates import ingest
from aggregates.api.body import bytes_of
from aggregates.api.endpoint import bounded
from aggregates.api.otlp import answers, json, wire
from aggregates.api.problems import ApiError, unavailable
from aggregates.api.recording import Rejection
from aggregates.domain.calls import Call, InvalidCall
from aggregates.ingest.otlp.costs import with_told_costs
from aggregates.models import Organization

MAX_JSON = 16_000_000  # bytes, decompressed: as text and as values it takes many times as much


@dataclass(frozen=True, slots=True)
class Told:
    """A call as one item of a request tells it."""

    index: int
    call: Call
    report: ingest.Report


def read(request: HttpRequest, signal: wire.Signal) -> Any:
    """What is wanted of the request; raises ApiError."""
    try:
        if request.content_type in answers.PROTOBUF:
            return wire.thinned(b"".join(bytes_of(request)), signal)
        if request.content_type in answers.JSON:
            return json.thinned(_at_most(MAX_JSON, bytes_of(request)), signal)
    except (DecodeError, json.NoRequest):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"Expected an {signal.name} of OTLP.") from None
    except wire.TooMany as error:
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
    raise other_type()


def other_type() -> ApiError:
    expected = f"{answers.PROTOBUF[0]} or {answers.JSON[0]}"
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Expected the Content-Type {expected}.")


def _at_most(limit: int, pieces: Iterator[bytes]) -> bytes:
    read = bytearray()
    for piece in pieces:
        read += piece
        if len(read) > limit:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected JSON of at most {limit:,} bytes.")
    return bytes(read)


def record(organization: Organization, told: Sequence[Told], rejections: list[Rejection]) -> None:
    """Record the calls of days that the log keeps, each request_id once; the others are rejected."""
    kept = list(_kept(organization, told, rejections))
    if not kept:
        return
    reports = {one.call.request_id: one.report for one in kept}
    try:
        with bounded():
            calls = with_told_costs(organization, [one.call for one in kept])
            ingest.record(organization, calls, reports=reports)
    except InvalidCall:  # a month was dropped meanwhile; sent again, its calls are rejected one by one
        raise unavailable() from None


def _kept(organization: Organization, told: Sequence[Told], rejections: list[Rejection]) -> Iterator[Told]:
    check = ingest.retention_check(organization)
    for one in told:
        try:
            check(one.call)
        except InvalidCall as invalid:
            rejections.append(Rejection(one.index, invalid.field, invalid.reason))
        else:
            yield one
