"""What pages show, as files."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import wraps
from http import HTTPStatus

from django.http import HttpResponse, HttpResponseBase
from django.middleware.gzip import re_accepts_gzip
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from aggregates.accounts.access import Permission, organization_for
from aggregates.db import audit
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import locales
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.texts import SPELLED
from aggregates.models import Event
from aggregates.ops.allowances import Allowance, Lane, allow
from aggregates.ops.places import NoPlace
from aggregates.query import reports
from aggregates.query.answer import Answer
from aggregates.query.forms.calls import CallsForm
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.forms.ranges import RangeForm
from aggregates.query.paging import read_keys
from aggregates.query.runner import read
from aggregates.query.selection import CallSelection, Selection
from aggregates.query.usage_query import Bucket, NoHours, QueryError
from aggregates.web.exports import calls, focus
from aggregates.web.exports.files import SentFile, TooLarge, place
from aggregates.web.exports.interactive import as_html
from aggregates.web.exports.workbook import as_xlsx
from aggregates.web.pages.dashboard import PATIENCE, load
from aggregates.web.views.gate import PageRequest, View, asking_page, page

GROUPS = 50  # all others are in one row, so that a file stays one that a spreadsheet opens
GROUPS_WITH_SUBGROUPS, SUBGROUPS = 20, 10
MAX_ROWS = 20_000  # of a workbook: its file is packed at the end, in memory
MAX_CSV_ROWS = 100_000  # of subgroups: so many are made in memory
CSV = "text/csv; charset=utf-8"
HTML = "text/html; charset=utf-8"
RETRY_AFTER = 10  # seconds
OF_ONE = "Other files of yours are being made or sent: try again when they have arrived.", HTTPStatus.TOO_MANY_REQUESTS
OF_ALL = "Many files are being made or sent: try again in a moment.", HTTPStatus.SERVICE_UNAVAILABLE
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Rows = Callable[[CallSelection], Generator[bytes, None, None]]


def file_page(view: View) -> View:
    """Make a page for people who are logged in of a view that makes a file; it is refused where too many are made."""

    @wraps(view)
    def made(request: PageRequest, slug: str) -> HttpResponseBase:
        response = limited(request, slug)
        is_refused = response.status_code != HTTPStatus.OK
        return _with_way_back(request, slug, response) if is_refused and _is_read_by_browser(request) else response

    def limited(request: PageRequest, slug: str) -> HttpResponseBase:
        try:
            return written(request, slug, view(request, slug))
        except NoPlace as error:
            refused = refusal(*(OF_ONE if error.of_one else OF_ALL))
            refused["Retry-After"] = str(RETRY_AFTER)
            return refused
        except TooLarge as error:
            return refusal(str(error))

    def written(request: PageRequest, slug: str, response: HttpResponseBase) -> HttpResponseBase:
        """Write a file that was made into the audit log: before it is sent, or it is not sent."""
        if response.status_code == HTTPStatus.OK:
            whose = organization_for(request.user, slug, Permission.EXPORT)
            audit.write(
                Event.EXPORTED, whose, after={"what": _name_in(response), "filters": sorted(_filtered(request))}
            )
        return response

    return allow(Allowance(Lane.FILE))(page(made))


def _name_in(response: HttpResponseBase) -> str:
    """The name of a file that is sent: what of, and of which days."""
    return str(response.headers.get("Content-Disposition", "")).partition('filename="')[2].rstrip('"')


def _filtered(request: PageRequest) -> set[str]:
    """The dimensions that a file is filtered by; not their values, which are recorded texts."""
    bare = (name.removeprefix("not_").removesuffix(SPELLED) for name in request.GET)
    return {name for name in bare if name in BY_NAME}


@file_page
def usage_csv(request: PageRequest, slug: str) -> HttpResponse:
    """Write every measure by the step and the groups of the dashboard at the same address; it adds up to the same
    totals."""
    organization = organization_for(request.user, slug, Permission.EXPORT)
    form = DashboardForm(request.GET, organization=organization, now=timezone.now())
    if form.errors:
        return refusal(_problems_of(form))
    try:
        with place(request.user.pk):
            if form.selection.subgroup:
                _check_rows(_most_rows(form.selection), MAX_CSV_ROWS, "a file of subgroups")
            content = reports.as_spreadsheet(_read_rows(form.selection))
    except QueryError as error:
        return refusal(str(error))
    return HttpResponse(content, content_type=CSV, headers=_named(form.selection, "usage", "csv"))


@file_page
def usage_xlsx(request: PageRequest, slug: str) -> HttpResponse:
    """Write the dashboard at the same address, panel by panel, and the rows behind it; all of one moment."""
    organization = organization_for(request.user, slug, Permission.EXPORT)
    form = DashboardForm(request.GET, organization=organization, now=timezone.now())
    if form.errors:
        return refusal(_problems_of(form))
    try:
        with place(request.user.pk):
            content = _workbook(form.selection)
    except QueryError as error:
        return refusal(str(error))
    return HttpResponse(content, content_type=XLSX, headers=_named(form.selection, "usage", "xlsx"))


@file_page
def usage_html(request: PageRequest, slug: str) -> HttpResponseBase:
    """Write the dashboard at the same address as a file that needs no site."""
    organization = organization_for(request.user, slug, Permission.EXPORT)
    form = DashboardForm(request.GET, organization=organization, now=timezone.now())
    if form.errors:
        return refusal(_problems_of(form))
    try:
        return SentFile(
            request.user.pk,
            _interactive(form.selection),
            compressed=takes_gzip(request),
            content_type=HTML,
            headers=_named(form.selection, "usage", "html"),
        )
    except QueryError as error:
        return refusal(str(error))


def _interactive(selection: Selection) -> Iterator[bytes]:
    """Make the file; raises QueryError."""
    with locales.read_by(""):  # a file says the same to every reader
        loaded = load(selection, is_open=True)
        if loaded.failed:
            raise QueryError(loaded.refusal)
        yield from as_html(loaded)


def takes_gzip(request: PageRequest) -> bool:
    return re_accepts_gzip.search(request.headers.get("Accept-Encoding", "")) is not None


@prefer_standby
def _workbook(selection: Selection) -> bytes:
    """Make the workbook; raises QueryError."""
    with locales.read_by(""), snapshot(PATIENCE):  # a file says the same to every reader
        _check_rows(_most_rows(selection), MAX_ROWS, "a workbook")
        loaded = load(selection, is_open=True)
        if loaded.failed:
            raise QueryError(loaded.refusal)
        answer = _read_rows(loaded.selection)
    _check_rows(len(answer.rows), MAX_ROWS, "a workbook")
    return as_xlsx(loaded, answer)


@file_page
def focus_csv(request: PageRequest, slug: str) -> HttpResponseBase:
    """Write the calls of the dashboard, or of the list of calls, at the same address, in the columns of FOCUS."""
    return _written(request, slug, "focus", focus.as_csv)


@file_page
def calls_csv(request: PageRequest, slug: str) -> HttpResponseBase:
    """Write the calls of the list at the same address."""
    return _written(request, slug, "calls", calls.as_csv)


def _most_rows(selection: Selection) -> int:
    """Count the rows of a file as if every known group had one at every step: cheap, where to read them is not."""
    by, groups = selection.by, 1
    if by and selection.subgroup:
        query = selection.in_all(by, GROUPS_WITH_SUBGROUPS, selection.subgroup, SUBGROUPS)
        groups = len(read([query], seconds=PATIENCE)[query].rows)
    elif by:
        groups = len(read_keys(selection.in_all(by=by), GROUPS + 1, seconds=PATIENCE))
    return max(1, groups) * len(selection.over_time().buckets)


def _check_rows(rows: int, most: int, what: str) -> None:
    if rows > most:
        raise QueryError(f"bucket: Expected at most {most:,} rows in {what}, got {rows:,}: take a longer step.")


def _written(request: PageRequest, slug: str, what: str, rows: Rows) -> HttpResponseBase:
    organization = organization_for(request.user, slug, Permission.EXPORT)
    form = CallsForm(request.GET, organization=organization, now=timezone.now())
    if form.errors:
        return refusal(_problems_of(form))
    selection = form.selection
    try:
        return _sent(request.user.pk, rows, selection, takes_gzip(request), _named(selection, what, "csv"))
    except QueryError as error:
        return refusal(str(error))


@prefer_standby
def _sent(user: int, rows: Rows, selection: CallSelection, compressed: bool, headers: dict[str, str]) -> SentFile:
    """Make the file, wholly from one server: from its beginning again where that fails."""
    with closing(rows(selection)) as pieces:
        return SentFile(user, pieces, compressed=compressed, content_type=CSV, headers=headers)


@prefer_standby
def _read_rows(selection: Selection) -> Answer:
    """Read what the chart shows, and more groups of it; by day where hours are not known. Raises QueryError."""
    groups = GROUPS_WITH_SUBGROUPS if selection.subgroup else GROUPS
    query = selection.over_time(selection.by, groups if selection.by else None, selection.subgroup, SUBGROUPS)
    try:
        return read([query], seconds=PATIENCE)[query]
    except NoHours:
        if query.bucket != Bucket.HOUR:
            raise
        return _read_rows(replace(selection, has_hours=False))


def _named(selection: Selection, what: str, ending: str) -> dict[str, str]:
    chosen = selection.range
    name = f"{selection.organization.slug}-{what}-{chosen.first}-{chosen.last}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _is_read_by_browser(request: PageRequest) -> bool:
    return request.get_preferred_type(["text/plain", "text/html"]) == "text/html"


def _with_way_back(request: PageRequest, slug: str, refused: HttpResponseBase) -> HttpResponse:
    """Say the same on a page that leads back to where the file was asked for."""
    asked_on, dashboard = asking_page(request), reverse("dashboard", args=[slug])
    if not asked_on.startswith(dashboard) or asked_on.startswith(request.path):  # as after a log-in, or a second try
        asked_on = f"{dashboard}?{request.GET.urlencode()}"
    context = {"reasons": b"".join(refused).decode().splitlines(), "back": asked_on}
    response = render(request, "aggregates/refused_file.html", context, status=refused.status_code)
    if "Retry-After" in refused:
        response["Retry-After"] = refused["Retry-After"]
    return response


def _problems_of(form: RangeForm) -> str:
    return "\n".join(f"{field}: {problem}" for field, problem in form.problems)


def refusal(reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> HttpResponse:
    return HttpResponse(f"{reason}\n", status=status, content_type="text/plain; charset=utf-8")
