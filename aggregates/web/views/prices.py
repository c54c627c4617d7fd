"""An organization's own prices, and what its prices make of what was reported, for its admins."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from aggregates.accounts.access import Permission, membership_for, organization_for
from aggregates.domain.texts import shown
from aggregates.models import PriceOverride
from aggregates.pricing import overrides
from aggregates.query.forms.ranges import RangeForm
from aggregates.web.forms.prices import PriceForm
from aggregates.web.pages.comparison import MAX_CALLS, compare
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page, page


@form_page
def price_list(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.PRICES)
    organization = membership.organization
    form = PriceForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        price = form.save_for(organization, request.user)
        messages.success(request, f"Calls of “{shown(price.pattern)}” are priced by it from now on: {form.understood}.")
        return redirect("prices", slug)
    context = {
        **common(request, membership, "prices"),
        "form": form,
        "prices": overrides.prices_of(organization),
    }
    return render(request, "aggregates/prices.html", context)


@action
def remove_price(request: PageRequest, slug: str, number: int) -> HttpResponse:
    organization = organization_for(request.user, slug, Permission.PRICES)
    try:
        price = overrides.remove(organization, number)
    except PriceOverride.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Removed the price of “{shown(price.pattern)}”. Calls that it priced keep their cost.")
    return redirect("prices", slug)


@page
def comparison(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.PRICES)
    organization = membership.organization
    form = RangeForm(request.GET, zone=organization.time_zone, now=timezone.now(), calendar=organization.calendar)
    lines = compare(organization, form.chosen, MAX_CALLS)
    context = {
        **common(request, membership, "prices"),
        "form": form,
        "range": form.chosen,
        "lines": lines,
        "too_many": lines is None,
        "most": MAX_CALLS,
    }
    return render(request, "aggregates/comparison.html", context)
