"""Why an organization's cost changed: one view for the page and for the fragment that replaces its content."""

from dataclasses import replace

from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.utils import timezone

from aggregates.accounts.access import membership_for
from aggregates.accounts.saved_views import views_for
from aggregates.domain.dimensions import BY_NAME, DIMENSIONS
from aggregates.query.addresses import flat, parameters_beside_range, query_string
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.stored_selections import keep
from aggregates.web.pages.changes import load
from aggregates.web.pages.drivers import open_driver
from aggregates.web.pages.saved_views import placed
from aggregates.web.views.answering import answer
from aggregates.web.views.gate import PageRequest, page


@page
def changes(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug)
    form = DashboardForm(request.GET, organization=membership.organization, now=timezone.now())
    loaded = load(placed(form.selection, views_for(membership)))
    keep(loaded.selection)
    kept = flat(parameters_beside_range(replace(loaded.selection, compare="")))  # what its controls do not show
    context = {"changes": loaded, "dimensions": DIMENSIONS, "kept": kept}
    return answer(request, "changes", membership, form, context, query_string(loaded.selection))


@page
def within(request: PageRequest, slug: str) -> HttpResponse:
    """What within a driver has changed: `of` is the driver's dimension, and the other parameters are those of its page,
    which is filtered to it."""
    membership = membership_for(request.user, slug)
    form = DashboardForm(request.GET, organization=membership.organization, now=timezone.now())
    name = request.GET.get("of", "")
    if name not in BY_NAME or not form.is_valid():
        said = "Expected the parameters of the page Changes, and a dimension."
        return HttpResponseBadRequest(said, content_type="text/plain")
    opened = open_driver(placed(form.selection, views_for(membership)), name)
    keep(opened.selection)
    context = {"opened": opened, "organization": membership.organization}
    return render(request, "aggregates/_within.html", context)
