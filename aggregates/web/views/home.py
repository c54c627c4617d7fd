"""The way from the front door to a dashboard."""

from django.http import HttpResponse
from django.shortcuts import redirect, render

from aggregates.accounts.access import organizations_of
from aggregates.web.views.gate import PageRequest, page


@page
def home(request: PageRequest) -> HttpResponse:
    """Lead to the only organization, or to the platform for staff without one; else choose, or read why there is
    none."""
    organizations = organizations_of(request.user)
    if len(organizations) == 1:
        return redirect("dashboard", organizations[0].slug)
    if not organizations and request.user.is_staff:
        return redirect("platform")
    return render(request, "aggregates/home.html", {"organizations": organizations})
