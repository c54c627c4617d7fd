"""An organization's own prices, and what its prices make of what was reported, for its admins."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from aggregates.accounts.access import Permission, membership_for, organization_for
from aggregates.domain import formats
from aggregates.domain.texts import shown
from aggregates.models import Discount, Membership, PriceOverride
from aggregates.ops import repricings
from aggregates.ops.past_calls import past_calls
from aggregates.pricing import overrides
from aggregates.pricing.discounts import discounts_of
from aggregates.pricing.discounts import remove_discount as remove
from aggregates.pricing.forms.discounts import DiscountForm
from aggregates.pricing.forms.prices import PriceForm
from aggregates.pricing.models_in_use import DAYS, models_in_use
from aggregates.query.forms.ranges import RangeForm
from aggregates.web.pages.comparison import MAX_CALLS, compare
from aggregates.web.pages.own_prices import own_prices
from aggregates.web.pages.price_suggestions import suggestion_for
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page, page


@form_page
def price_list(request: PageRequest, slug: str) -> HttpResponse:
    """List the prices; a form that is sent here says what an own one would change, or sets it, for past calls, too, if
    that is asked for."""
    membership = membership_for(request.user, slug, Permission.PRICES)
    organization = membership.organization
    if request.method != "POST":
        suggestion = suggestion_for(
            request.GET.get("provider", ""), request.GET.get("model", ""), request.GET.get("as")
        )
        return _show(request, membership, PriceForm(initial=suggestion.initial), suggestion=suggestion)
    form = PriceForm(request.POST)
    if not form.is_valid():
        return _show(request, membership, form)
    step = request.POST.get("step", "")
    if step == "preview":
        return _show(request, membership, form, preview=_preview(membership, form))
    found = _preview(membership, form) if step == "apply" else None
    try:
        price = form.save_for(organization, request.user)
    except overrides.CannotSet as error:
        form.add_error("pattern", str(error))
        return _show(request, membership, form)
    messages.success(request, f"Calls of “{shown(price.pattern)}” are priced by it from now on: {form.understood}.")
    if found:
        try:
            of_which = (price.pattern, price.first, price.last)
            asked = repricings.request(organization, request.user, *of_which, expected=found.calls)
        except repricings.OneAtATime as error:
            messages.error(request, str(error))
        else:
            return redirect("repricing", slug, asked.pk)
    return redirect("prices", slug)


def _preview(membership: Membership, form: PriceForm) -> Any:
    draft = form.draft_for(membership.organization)
    return past_calls(membership.organization, draft.pattern, draft.first, draft.last, draft)


def _show(request: PageRequest, membership: Membership, form: PriceForm, **more: Any) -> HttpResponse:
    organization = membership.organization
    models = models_in_use(organization)
    context = {
        **common(request, membership, "prices"),
        "form": form,
        "prices": own_prices(overrides.prices_of(organization), models),
        "models": models,
        "discounts": discounts_of(organization),
        "discount_form": DiscountForm(),
        "days": DAYS,
        **more,
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


@action
def discounts(request: PageRequest, slug: str) -> HttpResponse:
    """Set a discount."""
    membership = membership_for(request.user, slug, Permission.PRICES)
    form = DiscountForm(request.POST)
    if not form.is_valid():
        return _show(request, membership, PriceForm(), discount_form=form)
    try:
        discount = form.save_for(membership.organization, request.user)
    except overrides.CannotSet as error:
        form.add_error("provider", str(error))
        return _show(request, membership, PriceForm(), discount_form=form)
    percent = formats.exact_percent(discount.percent)
    messages.success(request, f"Calls from now on cost {percent} less than published prices of {discount.provider}.")
    return redirect("prices", slug)


@action
def remove_discount(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Take a discount away."""
    organization = organization_for(request.user, slug, Permission.PRICES)
    try:
        discount = remove(organization, number)
    except Discount.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Removed the discount of {discount.provider}. Calls that it priced keep their cost.")
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
