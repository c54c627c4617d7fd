"""An organization's own prices, and what its prices make of what was reported, for its admins."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from aggregates.accounts.access import administered_by, organizations_of
from aggregates.models import PriceOverride
from aggregates.pricing import overrides
from aggregates.query.forms.ranges import RangeForm
from aggregates.web.forms.prices import PriceForm
from aggregates.web.pages.comparison import MAX_CALLS, compare
from aggregates.web.views.gate import PageRequest, action, form_page, page


@form_page
def price_list(request: PageRequest, slug: str) -> HttpResponse:
    organization = administered_by(request.user, slug)
    form = PriceForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        price = form.save_for(organization, request.user)
        messages.success(request, f"Calls of “{price.pattern}” are priced by it from now on: {form.understood}.")
        return redirect("prices", slug)
    context = {
        "organization": organization,
        "organizations": organizations_of(request.user),
        "manages": True,
        "form": form,
        "prices": overrides.prices_of(organization),
    }
    return render(request, "aggregates/prices.html", context)


@action
def remove_price(request: PageRequest, slug: str, number: int) -> HttpResponse:
    organization = administered_by(request.user, slug)
    try:
        price = overrides.remove(organization, number)
    except PriceOverride.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Removed the price of “{price.pattern}”. Calls that it priced keep their cost.")
    return redirect("prices", slug)


@page
def comparison(request: PageRequest, slug: str) -> HttpResponse:
    organization = administered_by(request.user, slug)
    form = RangeForm(request.GET, zone=organization.time_zone, now=timezone.now(), calendar=organization.calendar)
    lines = compare(organization, form.chosen, MAX_CALLS)
    context = {
        "organization": organization,
        "organizations": organizations_of(request.user),
        "manages": True,
        "form": form,
        "range": form.chosen,
        "lines": lines,
        "too_many": lines is None,
        "most": MAX_CALLS,
    }
    return render(request, "aggregates/comparison.html", context)
