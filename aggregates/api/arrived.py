"""GET /api/v1/arrivals: what each key and file sent, and what became of it."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from aggregates.api.endpoint import endpoint
from aggregates.api.problems import ApiError
from aggregates.db.standby import prefer_standby
from aggregates.domain.formats import excerpt
from aggregates.models import ApiKey, ArrivalOutcome, Kind
from aggregates.query.arrivals import HOUR, PERIODS, PROBLEMS, Arrivals, Finding, SourceArrivals, read_arrivals

SECONDS = 15  # that a question may take
PERIOD = "24h"


@endpoint(Kind.READ, method="GET", is_whole=True)
def arrivals(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Answer for a range; raises ApiError."""
    for name in sorted(set(request.GET) - {"range"}):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"There is no parameter “{excerpt(name)}”.")
    period = request.GET.get("range", PERIOD)
    if period not in PERIODS:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"range: expected one of {', '.join(PERIODS)}.")
    return JsonResponse(_told(prefer_standby(read_arrivals)(key.organization, period, seconds=SECONDS)))


def _told(arrived: Arrivals) -> dict[str, object]:
    return {
        "organization": arrived.organization.slug,
        "range": arrived.period,
        "since": arrived.since.isoformat(),
        "as_of": arrived.as_of.isoformat(),
        "is_well": arrived.is_well,
        "sources": [_source(arrived, source) for source in arrived.sources],
    }


def _source(arrived: Arrivals, source: SourceArrivals) -> dict[str, object]:
    return {
        "kind": "key" if source.key else "file",
        "name": source.name,
        "prefix": source.key.prefix if source.key else None,
        "last_at": source.last_at.isoformat() if source.last_at else None,
        "counts": {outcome.value: source.count(outcome) for outcome in ArrivalOutcome},
        "calls_by_hour": [
            {"hour": (arrived.first_bar + number * HOUR).isoformat(), "calls": calls}
            for number, calls in enumerate(source.hours)
        ],
        "findings": [_finding(finding) for finding in (*source.problems, *source.remarks)],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "outcome": finding.outcome.value,
        "is_problem": finding.outcome in PROBLEMS,
        "reason": finding.reason,
        "count": finding.count,
        "last_at": finding.last_at.isoformat(),
    }
