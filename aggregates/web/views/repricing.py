"""Pricing past calls anew on a page: see what it would change, have it done, watch it, and undo it."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from aggregates.accounts.access import Permission, membership_for, organization_for
from aggregates.domain.texts import shown
from aggregates.models import Membership, Organization, Repricing, RepricingState
from aggregates.ops import repricings
from aggregates.ops.past_calls import past_calls
from aggregates.pricing.forms.prices import PastForm
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page, page

RECENT = 20  # that are listed
SLOW = timedelta(seconds=30)  # after which one that waits may wait for a task cluster that is off


@form_page
def past(request: PageRequest, slug: str) -> HttpResponse:
    """Show what pricing past calls anew would change; a form that is sent here has it done."""
    membership = membership_for(request.user, slug, Permission.PRICES)
    organization = membership.organization
    data = request.POST if request.method == "POST" else request.GET
    form = PastForm(data if data else None)
    found = past_calls(organization, *form.criteria) if form.is_bound and form.is_valid() else None
    if found and request.method == "POST":
        try:
            asked = repricings.request(organization, request.user, *form.criteria, expected=found.calls)
        except repricings.OneAtATime as error:
            messages.error(request, str(error))
        else:
            return redirect("repricing", slug, asked.pk)
    context = {
        **common(request, membership, "prices"),
        "form": form,
        "found": found,
        "repricings": Repricing.objects.filter(organization=organization).select_related("created_by")[:RECENT],
    }
    return render(request, "aggregates/past_calls.html", context)


@page
def repricing(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Show how far it is, and what it came to."""
    membership = membership_for(request.user, slug, Permission.PRICES)
    context = _context(request, membership, _find(membership.organization, number))
    name = "_repricing_progress" if request.htmx else "repricing"
    return render(request, f"aggregates/{name}.html", context)


@action
def undo_repricing(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Have what the calls cost before put back."""
    found = _find(organization_for(request.user, slug, Permission.PRICES), number)
    try:
        if not repricings.request_undo(found, request.user):
            messages.error(request, f"“{shown(found.pattern)}” can no longer be undone.")
    except repricings.OneAtATime as error:
        messages.error(request, str(error))
    return redirect("repricing", slug, number)


def _find(organization: Organization, number: int) -> Repricing:
    try:
        found = Repricing.objects.select_related("created_by", "undone_by")
        return found.get(organization=organization, pk=number)
    except Repricing.DoesNotExist:
        raise Http404 from None


def _context(request: PageRequest, membership: Membership, found: Repricing) -> dict[str, Any]:
    waits_for_long = timezone.now() - found.queued_at > SLOW
    return {
        **common(request, membership, "prices"),
        "repricing": found,
        "waits_for_long": found.state == RepricingState.QUEUED and waits_for_long,
    }
