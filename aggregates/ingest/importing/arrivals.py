"""What became of an imported file, counted for the page “What arrived”: also that it was refused."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from aggregates.domain.calls import InvalidCall
from aggregates.ingest.arrivals import Source, Tally, count_arrivals
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.importing.calls_of_file import FileCalls, RowRejected
from aggregates.ingest.importing.files import UnreadableFile
from aggregates.ingest.importing.mappings import MappingError
from aggregates.ingest.recording import Recorded
from aggregates.models import ArrivalOutcome, Organization
from aggregates.models.arrival import OTHERS

QUOTED = re.compile("“.*”", re.DOTALL)  # from the file: without its header, that may be the text of a prompt


@contextmanager
def counted_file(organization: Organization, name: str) -> Iterator[Tally]:
    """Count what becomes of a file within; whoever opens this is in no transaction that a refusal would undo."""
    tally = Tally()
    try:
        yield tally
        tally.add(ArrivalOutcome.REQUEST)
    except (MappingError, UnreadableFile, RowRejected, InvalidCall) as refused:
        tally.only_refused(_without_quotes(str(refused)))
        count_arrivals(Source.of_file(organization, name), tally)
        raise
    count_arrivals(Source.of_file(organization, name), tally)


def add_file(tally: Tally, calls: FileCalls, recorded: Recorded) -> None:
    """Add what became of the rows of a file."""
    tally.add(ArrivalOutcome.ACCEPTED, recorded.new)
    tally.add(ArrivalOutcome.DUPLICATE, recorded.already_there)
    for rejection in calls.rejections:
        tally.add(ArrivalOutcome.REJECTED, reason=_without_quotes(rejection.reason))
    tally.add(ArrivalOutcome.REJECTED, calls.rejected - len(calls.rejections), OTHERS)
    for misfit, number in calls.misfits.items():
        tally.add(ArrivalOutcome.ADJUSTED, number, misfit_in_words(misfit))
    tally.add(ArrivalOutcome.NO_CALL, calls.left_out)


def misfit_in_words(misfit: Misfit) -> str:
    return f"{misfit.field}: {misfit.reason}" if misfit.field else misfit.reason


def _without_quotes(reason: str) -> str:
    return QUOTED.sub("“…”", reason)
