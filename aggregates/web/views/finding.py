"""What is found for a text that is typed where one can go anywhere."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from aggregates.accounts.access import membership_for
from aggregates.domain.texts import read_sought
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.web.pages.finding import find
from aggregates.web.views.gate import PageRequest, page


@page
def found(request: PageRequest, slug: str) -> HttpResponse:
    """The links, as a fragment of a page; the rest of its address is that of the page it is asked from."""
    membership = membership_for(request.user, slug)
    parameters = request.GET.copy()
    typed = read_sought("".join(parameters.pop("q", [""])))
    form = DashboardForm(parameters, organization=membership.organization, now=timezone.now())
    return render(request, "aggregates/_found.html", {"kinds": find(membership, form.selection, typed), "typed": typed})
