"""An organization's calls: the list, one of them, and all as a file."""

from dataclasses import replace

from django.http import Http404, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone

from aggregates.access import membership_for, organization_for, organizations_of
from aggregates.dimensions import DIMENSIONS
from aggregates.exporting import as_csv
from aggregates.forms import CallsForm, parameters_beside_range, query_string
from aggregates.listing import KINDS
from aggregates.models import Role, UsageLog
from aggregates.pages.call import sections_of
from aggregates.pages.calls import kept_of, load, part_words
from aggregates.selection import CallSelection
from aggregates.views.gate import PageRequest, page


@page
def call_list(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug)
    organization = membership.organization
    form = CallsForm(request.GET, organization=organization, now=timezone.now())
    loaded = load(form.selection, form.beyond)
    selection = loaded.selection
    context = {
        "organization": organization,
        "form": form,
        "calls": loaded,
        "kinds": KINDS.values(),
        "dimensions": DIMENSIONS,
        "manages": membership.role == Role.ADMIN,
        "part": part_words(selection.part, organization.time_zone) if selection.part else "",
        "kept": _kept(selection),
        "elsewhere": replace(selection, status="", part=None),
    }
    if request.htmx:
        response = render(request, "aggregates/_calls.html", context)
        if not form.errors:
            page_of = {name: request.GET[name] for name in ("before", "after") if request.GET.get(name)}
            query = query_string(selection)
            more = "&".join(f"{name}={place}" for name, place in page_of.items())
            response["HX-Push-Url"] = request.path + query + (f"{'&' if query else '?'}{more}" if more else "")
        return response
    return render(request, "aggregates/calls.html", context | {"organizations": organizations_of(request.user)})


@page
def call(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug)
    organization = membership.organization
    found = UsageLog.objects.filter(organization=organization, id=number).first()
    if found is None:
        raise Http404
    context = {
        "organization": organization,
        "call": found,
        "sections": sections_of(found, organization.time_zone),
        "selection": CallsForm(request.GET, organization=organization, now=timezone.now()).selection,
        "back": request.GET.urlencode(),
        "manages": membership.role == Role.ADMIN,
        "organizations": organizations_of(request.user),
    }
    return render(request, "aggregates/call.html", context)


@page
def calls_csv(request: PageRequest, slug: str) -> HttpResponseBadRequest | StreamingHttpResponse:
    """Refused where some of the calls are no longer kept: a file that lacks them would look whole."""
    organization = organization_for(request.user, slug)
    form = CallsForm(request.GET, organization=organization, now=timezone.now())
    selection = form.selection
    problems = "".join(f"{name}: {message}\n" for name, message in form.problems)
    if kept_of(selection, organization.log_from) != selection.span:
        problems += f"from: the calls of days before {organization.log_from} are no longer kept.\n"
    if problems:
        return HttpResponseBadRequest(problems, content_type="text/plain; charset=utf-8")
    rows = as_csv(selection.by_day, KINDS[selection.status], selection.span)
    response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    name = f"{organization.slug}-calls-{selection.range.first}-{selection.range.last}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _kept(selection: CallSelection) -> list[tuple[str, str]]:
    """What the controls of the page do not show and keep in the address all the same."""
    parameters = parameters_beside_range(replace(selection, part=None))
    return [
        (name, value)
        for name, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
