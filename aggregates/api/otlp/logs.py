"""The endpoint of log records, in which coding assistants tell their calls."""

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
from aggregates.ingest.otlp.logs import events_of, not_understood
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
    for index, event in events_of(request, key.organization.label_attributes):
        found: list[Misfit] = []
        try:
            call = event.call(found)
        except InvalidCall as invalid:
            exported.rejections.append(Rejection(index, invalid.field, invalid.reason))
        else:
            exported.misfits += [Rejection(index, *misfit) for misfit in found]
            items.append(Item(index, event.report(call)))
    if not items:
        exported.not_understood += not_understood(request)
    record(key, items, exported)
    return exported
