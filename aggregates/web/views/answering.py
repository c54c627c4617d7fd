"""Pages of an organization's numbers, whole or as the fragment that htmx puts in the place of the one before."""

from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render

from aggregates.accounts.access import Permission, is_reader, may, organizations_of, permissions_of
from aggregates.models import Membership
from aggregates.web.pages.sections import sections_for
from aggregates.web.views.gate import PageRequest


def within(membership: Membership) -> dict[str, Any]:
    """Return what every part of a page may ask for: whose it is, and what the visitor may do there."""
    return {
        "organization": membership.organization,
        "is_reader": is_reader(membership),
        "manages": may(membership, Permission.SETTINGS),
        "permissions": permissions_of(membership),
        "settings_pages": sections_for(membership),
    }


def common(request: PageRequest, membership: Membership, section: str = "") -> dict[str, Any]:
    """Return what every whole page asks for; `section` names that of the settings which the page is in."""
    return {
        **within(membership),
        "organizations": organizations_of(request.user),
        "section": section,
    }


def answer(
    request: PageRequest, name: str, membership: Membership, form: Form, context: dict[str, Any], address: str
) -> HttpResponse:
    """Render the page of that name; `address` is the URL query that leads to what it shows, where the form has no
    errors."""
    if not request.htmx:
        return render(request, f"aggregates/{name}.html", {**common(request, membership), "form": form, **context})
    response = render(request, f"aggregates/_{name}.html", {**within(membership), "form": form, **context})
    if not form.errors:
        response["HX-Push-Url"] = request.path + address
    return response
