"""What became of a request, counted for the page “What arrived”: the one place where the doors' outcomes meet."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from aggregates.api.problems import ApiError
from aggregates.api.recording import Outcome, Rejection
from aggregates.ingest.arrivals import Source, Tally, count_arrivals
from aggregates.ingest.reports import Overlaps
from aggregates.models import ApiKey, ArrivalOutcome


@contextmanager
def counted(key: ApiKey) -> Iterator[Tally]:
    """Count what a door does within, once it is done; also that it refuses the request.

    What the database could not take is not counted: it is sent again, and the database would not take this either.
    """
    tally = Tally()
    try:
        yield tally
        tally.add(ArrivalOutcome.REQUEST)
    except ApiError as refused:
        tally.only_refused(refused.detail)
        if refused.status != HTTPStatus.SERVICE_UNAVAILABLE:
            count_arrivals(Source(key.organization, key), tally)
        raise
    count_arrivals(Source(key.organization, key), tally)


def add_outcome(tally: Tally, outcome: Outcome, misfits: Iterable[Rejection] = (), no_calls: int = 0) -> None:
    """Add what became of the rows of a request; `no_calls` were left out as they are none."""
    tally.add(ArrivalOutcome.ACCEPTED, outcome.accepted)
    tally.add(ArrivalOutcome.DUPLICATE, outcome.duplicate - outcome.overlaps.same_calls.total())
    for conflict in outcome.conflicts:
        tally.add(ArrivalOutcome.CONFLICT, reason=f"{', '.join(conflict.fields)}: what was first stands")
    add_told(tally, outcome.rejected, misfits, no_calls)
    add_overlaps(tally, outcome.overlaps)


def add_told(tally: Tally, rejections: Iterable[Rejection], misfits: Iterable[Rejection], no_calls: int) -> None:
    """Add fields that were wrong: of calls that were rejected, and of those that were taken without them."""
    tally.add_each(ArrivalOutcome.REJECTED, ((one.field, one.reason) for one in rejections))
    tally.add_each(ArrivalOutcome.ADJUSTED, ((one.field, one.reason) for one in misfits))
    tally.add(ArrivalOutcome.NO_CALL, no_calls)


def add_overlaps(tally: Tally, overlaps: Overlaps) -> None:
    """Add calls that several told, and those that may be one with another."""
    for outcome, told in (
        (ArrivalOutcome.SAME_CALL, overlaps.same_calls),
        (ArrivalOutcome.DOUBT, overlaps.doubted),
    ):
        for who, number in told.items():
            tally.add(outcome, number, who)
