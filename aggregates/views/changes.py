"""Why an organization's cost changed: one view for the page and for the fragment that replaces its content."""

from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from aggregates.access import membership_for, organizations_of
from aggregates.dimensions import DIMENSIONS
from aggregates.forms import DashboardForm, parameters_beside_range, query_string
from aggregates.models import Role
from aggregates.pages.changes import load
from aggregates.selection import Selection
from aggregates.views.gate import PageRequest, page


@page
def changes(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug)
    organization = membership.organization
    form = DashboardForm(request.GET, organization=organization, now=timezone.now())
    loaded = load(form.selection)
    context = {
        "organization": organization,
        "form": form,
        "changes": loaded,
        "dimensions": DIMENSIONS,
        "manages": membership.role == Role.ADMIN,
        "kept": _kept(loaded.selection),
    }
    if request.htmx:
        response = render(request, "aggregates/_changes.html", context)
        if not form.errors:
            response["HX-Push-Url"] = request.path + query_string(loaded.selection)
        return response
    return render(request, "aggregates/changes.html", context | {"organizations": organizations_of(request.user)})


def _kept(selection: Selection) -> list[tuple[str, str]]:
    """What the controls of the page do not show and keep in the address all the same."""
    parameters = parameters_beside_range(replace(selection, compare=""))
    return [
        (name, value)
        for name, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
