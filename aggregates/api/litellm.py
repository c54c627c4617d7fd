"""POST /api/v1/litellm: what LiteLLM's generic API logger sends, an array of events, one after the other, or one."""

from collections.abc import Iterable, Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse

from aggregates.api.endpoint import endpoint
from aggregates.api.recording import Rejection, TakenReport, record_reported
from aggregates.api.rows import BadRow, Row, rows_of
from aggregates.api.usage import answer, status_of
from aggregates.domain.calls import InvalidCall, parse_call
from aggregates.ingest.dialects import litellm as dialect
from aggregates.models import ApiKey, Kind

MAX_EVENT = 2_000_000  # characters: they come with the messages, which are discarded


@endpoint(Kind.RECORD)
def litellm(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Record events as usage is; those of other kinds than calls are left out.

    LiteLLM calls it JSON also where it sends lines.
    """
    events = _Events(rows_of(request, longest=MAX_EVENT, sequence=True))
    outcome = record_reported(key.organization, events)
    return JsonResponse({**answer(outcome), "left_out": events.left_out}, status=status_of(outcome))


class _Events:
    """Iterates over what the events are, and counts those that are no calls."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.left_out = 0

    def __iter__(self) -> Iterator[TakenReport | Rejection]:
        for index, row in enumerate(self._rows):
            if isinstance(row, BadRow):
                yield Rejection(index, "", str(row))
                continue
            try:
                calls = [parse_call(fields) for fields in dialect.read(row)]
            except InvalidCall as invalid:
                yield Rejection(index, invalid.field, invalid.reason)
            else:
                self.left_out += not calls
                yield from (TakenReport(index, dialect.report_of(row, call)) for call in calls)
