"""POST /api/v1/litellm: what LiteLLM's generic API logger sends, an array of events, one after the other, or one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from aggregates.api.arrivals import add_outcome, counted
from aggregates.api.endpoint import endpoint
from aggregates.api.recording import Rejection, Taken, TakenReport, record_reported
from aggregates.api.rows import BadRow, Row, rows_of
from aggregates.api.usage import answer, status_of
from aggregates.domain.calls import InvalidCall
from aggregates.ingest import retrievals
from aggregates.ingest.dialects import litellm as dialect
from aggregates.ingest.fitting import Misfit, fitting_call
from aggregates.models import ApiKey, Kind, Organization

MAX_EVENT = 2_000_000  # characters: they come with the messages, which are discarded


@endpoint(Kind.RECORD)
def litellm(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """As for usage; events of other kinds than calls are left out. LiteLLM calls it JSON also where it sends lines."""
    with counted(key) as tally:
        events = _Events(key.organization)
        events.read(rows_of(request, longest=MAX_EVENT, sequence=True))
        outcome = record_reported(key, events.reports())
        add_outcome(tally, outcome, events.misfits, events.left_out)
    adjusted = [asdict(misfit) for misfit in events.misfits]
    return JsonResponse(
        {**answer(outcome), "left_out": events.left_out, "adjusted": adjusted}, status=status_of(outcome)
    )


class _Events:
    """What the events of a request are, those that are no calls counted."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._taken: list[Taken | Rejection] = []
        self._retrievals: list[Taken] = []
        self._retrieved: set[int] = set()  # their indexes
        self._names: dict[int, str] = {}  # LiteLLM's own, by index
        self.misfits: list[Rejection] = []
        self.left_out = 0

    def read(self, rows: Iterable[Row]) -> None:
        for index, row in enumerate(rows):
            if isinstance(row, BadRow):
                self._taken.append(Rejection(index, "", str(row)))
                continue
            try:
                self._take(index, row)
            except InvalidCall as invalid:
                self._taken.append(Rejection(index, invalid.field, invalid.reason))

    def _take(self, index: int, event: Mapping[str, Any]) -> None:
        found: list[Misfit] = []
        fields = dialect.fields_of(event, found, self._organization.label_attributes)
        if fields is None:
            self.left_out += 1
            return
        taken = Taken(index, fitting_call(fields, found))
        self._names[index] = dialect.name_of(event)
        if dialect.is_retrieval(event):
            self._retrievals.append(taken)
            self._retrieved.add(index)
        else:
            self._taken.append(taken)
        self.misfits += [Rejection(index, *misfit) for misfit in dict.fromkeys(found)]

    def reports(self) -> Iterator[TakenReport | Rejection]:
        """Give what the events report; those that are wrong as they are."""
        for row in self.settled():
            yield row if isinstance(row, Rejection) else self._report(row)

    def _report(self, row: Taken) -> TakenReport:
        is_retrieval = row.index in self._retrieved
        return TakenReport(row.index, dialect.report_of(self._names[row.index], row.call, is_retrieval=is_retrieval))

    def settled(self) -> list[Taken | Rejection]:
        """The rows to record: retrievals among them only where no call tells their usage, and then once."""
        told = {retrievals.likeness(one.call) for one in self._taken if isinstance(one, Taken)}
        kept: list[Taken] = []
        known = retrievals.known(self._organization, [one.call for one in self._retrievals])
        for number, one in enumerate(self._retrievals):
            alike = retrievals.likeness(one.call)
            if alike not in told and number not in known:
                kept.append(one)
            told.add(alike)
        self.left_out += len(self._retrievals) - len(kept)
        return [*self._taken, *kept]
