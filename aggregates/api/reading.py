"""GET /api/v1/usage and /api/v1/units: what the dashboard shows, for programs."""

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils import timezone

from aggregates.api import cursors
from aggregates.api.endpoint import endpoint
from aggregates.api.problems import ApiError
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.models import ApiKey, Kind, Organization
from aggregates.query import reports, units
from aggregates.query.answer import Answer
from aggregates.query.earlier import first_usage
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.forms.fields import PlainInteger
from aggregates.query.paging import read_page
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import NoHours, QueryError

MAX_LIMIT = 1_000
LATENCY = ("yes", "no")
SECONDS = 15  # that a question may take


class Parameters(DashboardForm):
    """The parameters of the dashboard, and no others."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in sorted(set(self.data) - set(self.fields)):
            self.add_error(None, f"There is no parameter “{name[:100]}”.")
        return cleaned

    def check(self) -> None:
        """Raise ApiError with all that is wrong, field by field."""
        if self.errors:
            said = " ".join(text if name == "__all__" else f"{name}: {text}" for name, text in self.problems)
            raise ApiError(HTTPStatus.BAD_REQUEST, said)


class ReadForm(Parameters):
    """And which page: at most `limit` rows, those beyond `cursor`; and whether with latencies."""

    def __init__(self, data: QueryDict, *, organization: Organization, now: datetime) -> None:
        super().__init__(data, organization=organization, now=now)
        self.fields["limit"] = PlainInteger(required=False, min_value=1, max_value=MAX_LIMIT)
        self.fields["latency"] = forms.ChoiceField(required=False, choices=[(each, each) for each in LATENCY])
        self.fields["cursor"] = forms.CharField(required=False, max_length=cursors.MAX_LENGTH)


@endpoint(Kind.READ, method="GET")
def read_usage(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Totals over the range, and rows by bucket and group; raises ApiError."""
    form = ReadForm(request.GET, organization=key.organization, now=timezone.now())
    form.check()
    limit, cursor = form.cleaned_data["limit"] or MAX_LIMIT, form.cleaned_data["cursor"]
    try:
        return JsonResponse(_page(form, limit, cursor))
    except cursors.BadCursor as bad:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"cursor: {bad}") from None
    except QueryError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


@prefer_standby
def _page(form: ReadForm, limit: int, cursor: str) -> dict[str, Any]:
    """Totals over the whole range, and so many rows beyond the cursor."""
    selection = form.selection
    asked = form.cleaned_data["latency"] == "yes"
    whole, rows = (
        replace(query, with_latency=asked)
        for query in (selection.in_all(), selection.over_time(selection.by, subgroup=selection.subgroup))
    )
    after = cursors.place_of(cursor, selection) if cursor else None
    if after and after.start not in rows.buckets:
        raise cursors.BadCursor()
    with snapshot(SECONDS):
        in_all = read([whole], seconds=SECONDS)[whole]
        comparison = _comparison(selection, asked) if selection.compare else None
        page = read_page(rows, after, limit, seconds=SECONDS)
    return {
        **reports.about(page.answer),
        "bucket": rows.bucket.value,
        "by": selection.by,
        "subgroup": selection.subgroup,
        "totals": reports.measured_of(in_all, in_all.totals),
        "comparison": comparison,
        "rows": reports.rows_of(page.answer),
        "next": cursors.cursor_of(page.next, selection) if page.next else None,
    }


def _comparison(selection: Selection, with_latency: bool) -> dict[str, Any]:
    """The part of the range that can be compared, and the earlier range up to the same moment; raises QueryError."""
    now, before = (
        replace(each.in_all(), with_latency=with_latency) for each in (selection.comparable, selection.compared)
    )
    try:
        answers = read([now, before], seconds=SECONDS)
    except NoHours:
        by_days = replace(selection, has_hours_before=False)
        if not by_days.is_compared_by_whole_days or selection.is_compared_by_whole_days:
            raise
        return _comparison(by_days, with_latency)
    begins = first_usage(selection.organization, selection.compared.range)
    return {
        "now": _part(answers[now]),
        "before": _part(answers[before]),
        "usage_begins": begins.isoformat() if begins else None,
    }


def _part(answer: Answer) -> dict[str, Any]:
    query = answer.query
    return {
        "from": query.first.isoformat(),
        "to": query.last.isoformat(),
        "start": query.local(query.start).isoformat(),
        "end": query.local(query.end).isoformat(),
        "totals": reports.measured_of(answer, answer.totals),
    }


@endpoint(Kind.READ, method="GET")
def read_units(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """What has a price of its own over the range, by unit; raises ApiError."""
    form = Parameters(request.GET, organization=key.organization, now=timezone.now())
    form.check()
    query = form.selection.in_all()
    try:
        found = prefer_standby(units.read_units)(query, seconds=SECONDS)
    except QueryError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if found.missing:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{found.missing}, and nothing else knows units.")
    return JsonResponse(
        {
            "organization": query.organization.slug,
            "time_zone": query.zone,
            "from": query.first.isoformat(),
            "to": query.last.isoformat(),
            "units": [reports.unit_of(each) for each in found.units],
        }
    )
