"""The way from the front door to a dashboard."""

import re

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from aggregates.accounts.access import organizations_of
from aggregates.domain.texts import read_sought
from aggregates.web.pages import organizations as choosing
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
    sought = read_sought(request.GET.get("find", ""))
    chosen = choosing.load(request.user, timezone.now(), sought, _number(request.GET.get("page", "")))
    return render(request, "aggregates/home.html", {"organizations": organizations, "chosen": chosen})


def _number(typed: str) -> int:
    """Read the number of a page; the first where it is none."""
    return max(1, int(typed)) if re.fullmatch("[0-9]{1,6}", typed) else 1
