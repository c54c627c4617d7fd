"""Pages of an organization's numbers, whole or as the fragment that htmx puts in the place of the one before."""

from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render

from aggregates.accounts.access import organizations_of
from aggregates.models import Membership, Role
from aggregates.web.views.gate import PageRequest


def answer(
    request: PageRequest, name: str, membership: Membership, form: Form, context: dict[str, Any], address: str
) -> HttpResponse:
    """Render the page of that name; `address` is the URL query that leads to what it shows, where the form has no
    errors."""
    common = {
        "organization": membership.organization,
        "manages": membership.role == Role.ADMIN,
        "form": form,
    }
    if not request.htmx:
        common["organizations"] = organizations_of(request.user)
        return render(request, f"aggregates/{name}.html", common | context)
    response = render(request, f"aggregates/_{name}.html", common | context)
    if not form.errors:
        response["HX-Push-Url"] = request.path + address
    return response
