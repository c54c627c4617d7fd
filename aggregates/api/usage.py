"""POST /api/v1/usage: calls in our own words."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from aggregates.api.arrivals import add_outcome, counted
from aggregates.api.endpoint import ALLOWANCE, endpoint
from aggregates.api.json import Repeated
from aggregates.api.reading import read_usage
from aggregates.api.recording import Outcome, Rejection, Taken, record_rows
from aggregates.api.rows import BadRow, Row, rows_of
from aggregates.domain.calls import CHECKS, OBJECTS, Call, InvalidCall, parse_call
from aggregates.domain.formats import excerpt
from aggregates.domain.usual_calls import usual_call
from aggregates.models import ApiKey, Kind
from aggregates.ops.allowances import allow

SINGLE = frozenset({str, int, Decimal, bool, type(None)})  # nearly all rows hold these alone


@csrf_exempt
@allow(ALLOWANCE)
def usage(request: HttpRequest) -> HttpResponse:
    """The address of both: to read calls' sums with GET, to record calls with POST."""
    response = (read_usage if request.method == "GET" else record_usage)(request)
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = "GET, POST"
    return response


@endpoint(Kind.RECORD)
def record_usage(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Rows that are calls are recorded though others are not; where none is one, that is an error."""
    with counted(key) as tally:
        outcome = record_rows(key, _taken(rows_of(request)))
        add_outcome(tally, outcome)
    return JsonResponse(answer(outcome), status=status_of(outcome))


def status_of(outcome: Outcome) -> HTTPStatus:
    recorded = outcome.accepted + outcome.duplicate
    return HTTPStatus.UNPROCESSABLE_ENTITY if outcome.rejected and not recorded else HTTPStatus.OK


def answer(outcome: Outcome) -> dict[str, Any]:
    return {
        "accepted": outcome.accepted,
        "duplicate": outcome.duplicate,
        "rejected": len(outcome.rejected),
        "conflicts": [asdict(conflict) for conflict in outcome.conflicts],
        "rejections": [asdict(rejection) for rejection in outcome.rejected],
    }


def _taken(rows: Iterator[Row]) -> Iterator[Taken | Rejection]:
    for index, row in enumerate(rows):
        if isinstance(row, BadRow):
            yield Rejection(index, "", str(row))
            continue
        try:
            yield Taken(index, call_of(row))
        except InvalidCall as invalid:
            yield Rejection(index, excerpt(invalid.field), invalid.reason)


def call_of(row: Mapping[str, object]) -> Call:
    """The call; raises InvalidCall."""
    if (usual := usual_call(row)) is not None:
        return usual
    if not SINGLE.issuperset(map(type, row.values())):
        _check_values(row)
    return parse_call(row)


def _check_values(row: Mapping[str, object]) -> None:
    """Check that fields are single values, or objects where they may be."""
    for name, value in row.items():
        if name in OBJECTS:  # which say themselves what they are
            if isinstance(value, Repeated):
                raise InvalidCall(name, "expected each name once")
        elif name in CHECKS and isinstance(value, (dict, list, float)):
            expected = "a finite number" if isinstance(value, float) else "a single value"
            raise InvalidCall(name, f"expected {expected}")
