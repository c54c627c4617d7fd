"""What arrived for an organization, for its members."""

from django.http import HttpResponse
from django.shortcuts import render

from aggregates.accounts.access import Permission, membership_for
from aggregates.query.arrivals import PERIODS
from aggregates.web.pages import arrivals
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, page


@page
def arrivals_page(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.SEE_WHOLE)
    asked = request.GET.get("range", arrivals.PERIOD)
    period = asked if asked in PERIODS else arrivals.PERIOD
    context = {
        **common(request, membership, "arrivals"),
        "loaded": arrivals.load(membership.organization, period),
        "periods": arrivals.WORDS,
        "period": period,
    }
    return render(request, "aggregates/arrivals.html", context)
