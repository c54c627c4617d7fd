"""The endpoint of metrics: SDKs with one endpoint for all send them here. They tell of no single call."""

from django.http import HttpRequest, HttpResponse

from aggregates.api.arrivals import counted
from aggregates.api.endpoint import endpoint
from aggregates.api.otlp import answers
from aggregates.api.otlp.receiving import other_type
from aggregates.models import ApiKey, Kind


@endpoint(Kind.RECORD, answers.refusal)
def metrics(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Answer as if they were stored, so that they are not sent again; nothing of them is read."""
    if request.content_type not in (*answers.PROTOBUF, *answers.JSON):
        raise other_type()
    with counted(key):
        return answers.discarded(request)
