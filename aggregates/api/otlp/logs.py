"""The endpoint of log records: events of calls, and those in which coding assistants tell theirs."""

from django.http import HttpRequest, HttpResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aggregates.api.arrivals import counted
from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.exported import Exported
from aggregates.api.otlp.receiving import Item, read, record
from aggregates.api.recording import Rejection
from aggregates.domain.calls import InvalidCall
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.otlp.details import details_of
from aggregates.ingest.otlp.logs import events_of
from aggregates.models import ApiKey, Kind


@endpoint(Kind.RECORD, answers.refusal)
def logs(request: HttpRequest, key: ApiKey) -> HttpResponse:
    with counted(key) as tally:
        exported = export_log_records(key, read(request, wire.LOGS, key.organization.label_attributes))
        exported.add_to(tally)
    return answers.exported(request, wire.LOGS, exported)


def export_log_records(key: ApiKey, request: ExportLogsServiceRequest) -> Exported:
    """Record the calls that the log records tell; raises ApiError."""
    items, exported = list[Item](), Exported("log record")
    labels = key.organization.label_attributes
    events = list(events_of(request, labels))
    for index, event in events:
        found: list[Misfit] = []
        try:
            call = event.call(found)
        except InvalidCall as invalid:
            exported.rejections.append(Rejection(index, invalid.field, invalid.reason))
        else:
            exported.misfits += [Rejection(index, *misfit) for misfit in dict.fromkeys(found)]
            items.append(Item(index, event.report(call)))
    for index, report, unfit in details_of(request, {index for index, _ in events}, labels):
        if isinstance(report, InvalidCall):
            exported.rejections.append(Rejection(index, report.field, report.reason))
        else:
            exported.misfits += [Rejection(index, *misfit) for misfit in dict.fromkeys(unfit)]
            items.append(Item(index, report))
    record(key, items, exported)
    return exported
