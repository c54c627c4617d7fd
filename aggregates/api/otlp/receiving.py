"""What the endpoints of all signals do: read a request within limits, and record the calls that it tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from google.protobuf.message import DecodeError

from aggregates import ingest
from aggregates.api.body import bytes_of
from aggregates.api.otlp import answers, json, wire
from aggregates.api.problems import ApiError
from aggregates.api.recording import Rejection, record_all
from aggregates.domain.calls import InvalidCall
from aggregates.ingest.otlp.costs import with_told_costs
from aggregates.models import Organization

MAX_JSON = 16_000_000  # bytes, decompressed: as text and as values it takes many times as much


@dataclass(frozen=True, slots=True)
class Item:
    """What one item of a request reports."""

    index: int
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


def record(organization: Organization, items: Sequence[Item], rejections: list[Rejection]) -> ingest.Reported:
    """Record the calls of days that the log keeps, each once; the others are rejected."""
    kept = list(_kept(organization, items, rejections))
    costs = iter(with_told_costs(organization, [report.call for report in kept if report.call]))
    return record_all(organization, [report._replace(call=next(costs)) if report.call else report for report in kept])


def _kept(organization: Organization, items: Sequence[Item], rejections: list[Rejection]) -> Iterator[ingest.Report]:
    check = ingest.retention_check(organization)
    for item in items:
        try:
            if item.report.call:
                check(item.report.call)
        except InvalidCall as invalid:
            rejections.append(Rejection(item.index, invalid.field, invalid.reason))
        else:
            yield item.report
