"""All groups of a dimension of an organization's usage."""

from dataclasses import replace

from django.http import HttpResponse
from django.utils import timezone

from aggregates.accounts.access import membership_for
from aggregates.accounts.saved_views import views_for
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.query.addresses import flat, parameters_beside_range, query_string
from aggregates.query.forms.groups import GroupsForm
from aggregates.query.stored_selections import keep
from aggregates.web.pages.groups import load
from aggregates.web.pages.saved_views import placed
from aggregates.web.views.answering import answer
from aggregates.web.views.gate import PageRequest, page


@page
def groups(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug)
    form = GroupsForm(request.GET, organization=membership.organization, now=timezone.now())
    loaded = load(placed(form.selection, views_for(membership)), form.page)
    keep(loaded.selection)
    context = {
        "groups": loaded,
        "dimensions": DIMENSIONS,
        "kept": flat(parameters_beside_range(replace(loaded.selection, compare=""))),
        "elsewhere": replace(loaded.selection, order="cost", sought=""),
    }
    here = query_string(loaded.selection)
    if loaded.page and loaded.page.number > 1:
        here += f"{'&' if here else '?'}page={loaded.page.number}"
    return answer(request, "groups", membership, form, context, here)
