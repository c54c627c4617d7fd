"""The endpoint of log records, in which coding assistants tell their calls."""

from django.http import HttpRequest, HttpResponse

from aggregates.api.arrivals import add_reported, counted
from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.receiving import Item, read, record
from aggregates.api.recording import Rejection
from aggregates.domain.calls import InvalidCall
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.otlp.logs import events_of
from aggregates.models import ApiKey, Kind


@endpoint(Kind.RECORD, answers.refusal)
def logs(request: HttpRequest, key: ApiKey) -> HttpResponse:
    with counted(key) as tally:
        rejections: list[Rejection] = []
        misfits: list[Rejection] = []
        items: list[Item] = []
        for index, event in events_of(read(request, wire.LOGS)):
            found: list[Misfit] = []
            try:
                call = event.call(found)
            except InvalidCall as invalid:
                rejections.append(Rejection(index, invalid.field, invalid.reason))
            else:
                misfits += [Rejection(index, *misfit) for misfit in found]
                items.append(Item(index, event.report(call)))
        add_reported(tally, record(key.organization, items, rejections), rejections, misfits)
    return answers.exported(request, wire.LOGS, rejections, misfits)
