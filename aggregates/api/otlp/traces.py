"""The endpoint of spans: a request is read, its calls recorded, and its sender told in its own words."""

from django.http import HttpRequest, HttpResponse

from aggregates.api.arrivals import add_reported, counted
from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.receiving import Item, read, record
from aggregates.api.recording import Rejection
from aggregates.domain.calls import InvalidCall
from aggregates.ingest.otlp.not_understood import not_understood
from aggregates.ingest.otlp.reports import reports_of
from aggregates.ingest.otlp.spans import Batch
from aggregates.models import ApiKey, Kind


@endpoint(Kind.RECORD, answers.refusal)
def traces(request: HttpRequest, key: ApiKey) -> HttpResponse:
    with counted(key) as tally:
        batch = Batch(read(request, wire.TRACES))
        items, rejections, misfits = list[Item](), list[Rejection](), list[Rejection]()
        for index, report, unfit in reports_of(batch):
            if isinstance(report, InvalidCall):
                rejections.append(Rejection(index, report.field, report.reason))
            else:
                items.append(Item(index, report))
                misfits += [Rejection(index, *misfit) for misfit in unfit]
        reported = record(key.organization, items, rejections)
        no_calls = sum(item.report.call is None for item in items)
        add_reported(tally, reported, rejections, misfits, not_understood(batch), no_calls)
    return answers.exported(request, wire.TRACES, rejections, misfits)
