"""An organization's calls: the list, and one of them."""

from dataclasses import replace

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from aggregates.accounts.access import membership_for
from aggregates.accounts.saved_views import views_for
from aggregates.query.addresses import flat, parameters_beside_range, query_string
from aggregates.query.forms.calls import CallsForm
from aggregates.query.listing import PageBoundary
from aggregates.query.scans import calls_of
from aggregates.query.selection import CallSelection
from aggregates.query.stored_selections import keep
from aggregates.web.pages.call import sections_of
from aggregates.web.pages.calls import load, load_neighbours, part_words
from aggregates.web.pages.saved_views import placed
from aggregates.web.views.answering import answer, common
from aggregates.web.views.gate import PageRequest, page


@page
def call_list(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug)
    organization = membership.organization
    form = CallsForm(request.GET, organization=organization, now=timezone.now())
    loaded = load(placed(form.selection, views_for(membership)), form.boundary)
    selection = loaded.selection
    keep(selection)
    here = _address(selection, form.boundary)
    context = {
        "calls": loaded,
        "here": here,
        "part": part_words(selection.part, organization.time_zone) if selection.part else "",
        "kept": flat(parameters_beside_range(replace(selection, part=None))),  # what its controls do not show
        "elsewhere": replace(selection, status="", part=None, sort="", shown=()),
    }
    return answer(request, "calls", membership, form, context, here)


def _address(selection: CallSelection, boundary: PageBoundary | None) -> str:
    """Write the URL query, with the place in the list where the page begins."""
    query = query_string(selection)
    if boundary is None:
        return query
    return f"{query}{'&' if query else '?'}{'before' if boundary.is_older else 'after'}={boundary.cursor}"


@page
def call(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug)
    organization = membership.organization
    found = calls_of(organization).filter(id=number).first()
    if found is None:
        raise Http404
    selection = CallsForm(request.GET, organization=organization, now=timezone.now()).selection
    selection = placed(selection, views_for(membership))
    context = {
        **common(request, membership),
        "call": found,
        "sections": sections_of(found, selection),
        "selection": selection,
        "neighbours": load_neighbours(selection, found),
        "back": request.GET.urlencode(),
    }
    return render(request, "aggregates/call.html", context)
