"""What the dashboard shows, as a file."""

from http import HTTPStatus

from django.http import HttpResponse
from django.utils import timezone

from aggregates import reports
from aggregates.access import membership_for
from aggregates.forms.dashboard import DashboardForm
from aggregates.pages.dashboard import PATIENCE
from aggregates.queries import QueryError
from aggregates.sources import read
from aggregates.views.gate import PageRequest, page

GROUPS = 50  # all others are in one row, so that a file stays one that a spreadsheet opens


@page
def usage_csv(request: PageRequest, slug: str) -> HttpResponse:
    """Every measure by the step and the groups of the dashboard at the same address; it adds up to the same totals."""
    organization = membership_for(request.user, slug).organization
    form = DashboardForm(request.GET, organization=organization, now=timezone.now())
    if form.errors:
        return _refused("\n".join(f"{field}: {problem}" for field, problem in form.problems))
    selection = form.selection
    query = selection.over_time(selection.by, GROUPS if selection.by else None)
    try:
        answer = read([query], seconds=PATIENCE)[query]
    except QueryError as error:
        return _refused(str(error))
    name = f"{organization.slug}-{selection.range.first}-{selection.range.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(reports.as_spreadsheet(answer), content_type="text/csv; charset=utf-8", headers=headers)


def _refused(reason: str) -> HttpResponse:
    return HttpResponse(f"{reason}\n", status=HTTPStatus.BAD_REQUEST, content_type="text/plain; charset=utf-8")
