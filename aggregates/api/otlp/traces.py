"""The endpoint of spans: a request is read, its calls recorded, and its sender told in its own words."""

from django.http import HttpRequest, HttpResponse

from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers, wire
from aggregates.api.otlp.receiving import Told, read, record
from aggregates.api.otlp.reports import reported_calls
from aggregates.models import ApiKey, Kind


@endpoint(Kind.RECORD, answers.refusal)
def traces(request: HttpRequest, key: ApiKey) -> HttpResponse:
    reported, rejections, misfits = reported_calls(read(request, wire.TRACES))
    record(key.organization, [Told(one.index, one.call, one.report) for one in reported], rejections)
    return answers.exported(request, wire.TRACES, rejections, misfits)
