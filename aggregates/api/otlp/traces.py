"""The endpoint of spans: a request is read, its calls recorded, and its sender told in its own words."""

from django.http import HttpRequest, HttpResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aggregates.api.arrivals import counted
from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.exported import Exported
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
        exported = export_spans(key, read(request, wire.TRACES, key.organization.label_attributes))
        exported.add_to(tally)
    return answers.exported(request, wire.TRACES, exported)


def export_spans(key: ApiKey, request: ExportTraceServiceRequest) -> Exported:
    """Record the calls among the spans; raises ApiError."""
    batch, items, exported = Batch(request, key.organization.label_attributes), list[Item](), Exported("span")
    for index, report, unfit in reports_of(batch):
        if isinstance(report, InvalidCall):
            exported.rejections.append(Rejection(index, report.field, report.reason))
        else:
            items.append(Item(index, report))
            if unfit:
                exported.misfits += [Rejection(index, *misfit) for misfit in dict.fromkeys(unfit)]
    exported.not_understood += not_understood(batch)
    record(key, items, exported)
    return exported
