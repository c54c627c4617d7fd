"""What the endpoints of all signals do: read a request within limits, and record the calls that it tells."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from google.protobuf.message import DecodeError

from aggregates import ingest
from aggregates.api.body import bytes_of
from aggregates.api.otlp import answers, json, wire
from aggregates.api.otlp.exported import Exported
from aggregates.api.problems import ApiError
from aggregates.api.recording import Rejection, record_all
from aggregates.ingest.otlp.costs import with_told_costs
from aggregates.models import ApiKey, Organization

MAX_JSON = 16_000_000  # bytes, decompressed: as text and as values it takes many times as much


@dataclass(slots=True)  # not frozen: of each span one is made, and that takes three times as long
class Item:
    """What one item of a request reports."""

    index: int
    report: ingest.Report


def read(request: HttpRequest, signal: wire.Signal, also: Collection[str] = ()) -> Any:
    """What is wanted of the request, and attributes of these names, too; raises ApiError."""
    if request.content_type in answers.PROTOBUF:
        return read_protobuf(bytes_of(request), signal, also)
    if request.content_type in answers.JSON:
        with _refusing_what_is_none(signal):
            return json.thinned(_at_most(MAX_JSON, bytes_of(request)), signal, also)
    raise other_type()


def read_protobuf(pieces: Iterable[bytes], signal: wire.Signal, also: Collection[str] = ()) -> Any:
    """What is wanted of a request in protobuf's binary form, as `read` has it; raises ApiError."""
    with _refusing_what_is_none(signal):
        return wire.thinned(b"".join(pieces), signal, also)


@contextmanager
def _refusing_what_is_none(signal: wire.Signal) -> Iterator[None]:
    try:
        yield
    except (DecodeError, json.NoRequest):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"Expected an {signal.name} of OTLP.") from None
    except wire.TooMany as error:
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None


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


def record(key: ApiKey, items: Sequence[Item], exported: Exported) -> None:
    """Record the calls of days that the log keeps, each once, and note in `exported` what became of them."""
    reported, refused = record_all(key, _with_told_costs(key.organization, [item.report for item in items]))
    exported.rejections += [Rejection(items[number].index, why.field, why.reason) for number, why in refused.items()]
    kept = [item for number, item in enumerate(items) if number not in refused]
    exported.accepted, exported.overlaps = reported.new, reported.overlaps
    exported.no_calls = sum(item.report.call is None for item in items)
    exported.doubts = list(reported.doubts.items())
    seen: set[str] = set()
    for item in kept:
        if item.report.call:
            if item.report.span in reported.duplicates or item.report.span in seen:
                exported.duplicates.append(item.index)
            seen.add(item.report.span)


def _with_told_costs(organization: Organization, reports: list[ingest.Report]) -> list[ingest.Report]:
    calls = [report.call for report in reports if report.call]
    told = with_told_costs(organization, calls)
    if told is calls:
        return reports
    costs = iter(told)
    return [report.with_call(next(costs)) if report.call else report for report in reports]
