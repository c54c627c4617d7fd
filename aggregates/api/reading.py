"""GET /api/v1/usage: what the dashboard shows, for programs."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils import timezone

from aggregates.api.endpoint import endpoint
from aggregates.api.problems import ApiError
from aggregates.db.snapshot import snapshot
from aggregates.models import ApiKey, Kind, Organization
from aggregates.query import reports
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.runner import read
from aggregates.query.usage_query import QueryError, UsageQuery

MAX_LIMIT = 1_000
SECONDS = 15  # that a question may take


class ReadForm(DashboardForm):
    """The parameters of the dashboard, and which page: `limit` rows from `cursor` on."""

    def __init__(self, data: QueryDict, *, organization: Organization, now: datetime) -> None:
        super().__init__(data, organization=organization, now=now)
        self.fields["limit"] = forms.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT)
        self.fields["cursor"] = forms.CharField(required=False, max_length=40)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in sorted(set(self.data) - set(self.fields)):
            self.add_error(None, f"There is no parameter “{name[:100]}”.")
        return cleaned

    @property
    def said(self) -> str:
        """All that is wrong, field by field."""
        return " ".join(text if name == "__all__" else f"{name}: {text}" for name, text in self.problems)


@endpoint(Kind.READ, method="GET")
def read_usage(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Totals over the range, and rows by bucket and group; raises ApiError."""
    form = ReadForm(request.GET, organization=key.organization, now=timezone.now())
    if form.errors:
        raise ApiError(HTTPStatus.BAD_REQUEST, form.said)
    limit, cursor = form.cleaned_data["limit"] or MAX_LIMIT, form.cleaned_data["cursor"]
    try:
        return JsonResponse(_page(form, limit, cursor))
    except QueryError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _page(form: ReadForm, limit: int, cursor: str) -> dict[str, Any]:
    """Whole buckets from the cursor on, as many as are within the limit for certain, and at least one."""
    selection = form.selection
    whole, rows = selection.in_all(selection.by), selection.over_time(selection.by)
    starts = rows.buckets
    first = _index(starts, cursor)
    with snapshot():
        in_all = read([whole], seconds=SECONDS)[whole]
        until = first + max(1, limit // max(1, len(in_all.keys)))
        part = _part(rows, starts, first, until)
        answer = read([part], seconds=SECONDS)[part]
    return {
        **reports.about(in_all),
        "bucket": rows.bucket.value,
        "by": rows.by,
        "totals": reports.measured_of(in_all, in_all.totals),
        "rows": reports.rows_of(answer),
        "next": _written(starts[until]) if until < len(starts) else None,
    }


def _part(query: UsageQuery, starts: tuple[datetime, ...], first: int, until: int) -> UsageQuery:
    end = starts[until] if until < len(starts) else query.end
    return replace(query, start=max(starts[first], query.start), end=end)


def _written(start: datetime) -> str:
    return f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _index(starts: tuple[datetime, ...], cursor: str) -> int:
    """Which bucket the cursor names; raises ApiError."""
    if not cursor:
        return 0
    for number, start in enumerate(starts):
        if _written(start) == cursor:
            return number
    raise ApiError(HTTPStatus.BAD_REQUEST, "cursor: Expected the “next” of an answer about the same range and bucket.")
