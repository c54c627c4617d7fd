"""Sample data, filled in and removed by who manages an organization."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from aggregates.accounts.access import Permission, organization_for
from aggregates.domain.formats import plural
from aggregates.ops import sample
from aggregates.web.views.gate import PageRequest, action


@action
def add_sample(request: PageRequest, slug: str) -> HttpResponse:
    organization = organization_for(request.user, slug, Permission.SETTINGS)
    try:
        sample.add(organization, request.user)
    except sample.HasUsage:
        messages.info(request, "There is usage already: sample data only comes where there is none.")
        return redirect("connect", slug)
    return redirect("dashboard", slug)


@action
def remove_sample(request: PageRequest, slug: str) -> HttpResponse:
    done = sample.remove(organization_for(request.user, slug, Permission.SETTINGS))
    words = f"Removed the sample data: {plural(done.total.rows, 'row')}."
    if done.kept:
        words += f" It stays on {plural(len(done.kept), 'day')} of which only sums are kept."
    messages.success(request, words)
    return redirect("connect", slug)
