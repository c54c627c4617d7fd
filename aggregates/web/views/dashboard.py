"""An organization's dashboard: one view for the page and for the fragment that replaces its content."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone

from aggregates.accounts.access import membership_for
from aggregates.accounts.saved_views import default_of, views_for
from aggregates.domain import days, ranges
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.ranges import LENGTHS, Range
from aggregates.domain.texts import read_typed
from aggregates.models import Organization
from aggregates.query.addresses import query_string
from aggregates.query.first_call import has_usage, sample_key
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.selection import BEFORE, MOST_WITH_SUBGROUPS, PER_DAY, TOPS, YEAR, Selection
from aggregates.query.stored_selections import keep
from aggregates.web.pages import choices
from aggregates.web.pages import dashboard as reading
from aggregates.web.pages import subgroups as opening
from aggregates.web.pages.saved_views import opened, placed, switcher_of
from aggregates.web.views import connecting
from aggregates.web.views.answering import answer
from aggregates.web.views.gate import PageRequest, page

COMPARISONS = {
    BEFORE: "With the range before",
    YEAR: "With the year before",
    f"{BEFORE}{PER_DAY}": "Before, by the day",
    f"{YEAR}{PER_DAY}": "Year before, by the day",
}


@page
def dashboard(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug)
    organization, now, views = membership.organization, timezone.now(), views_for(membership)
    default = default_of(views)
    if default and not request.GET:
        return HttpResponseRedirect(request.path + query_string(opened(default, membership, now).selection))
    form = DashboardForm(request.GET, organization=organization, now=now)
    loaded = reading.load(placed(form.selection, views))
    keep(loaded.selection, *reading.others_in(loaded))
    context: dict[str, Any] = {
        "dashboard": loaded,
        "comparisons": comparisons_of(loaded.selection).items(),
        "tops": TOPS,
        "most_with_subgroups": MOST_WITH_SUBGROUPS,
        "sample": sample_key(organization),
        "switcher": switcher_of(loaded.selection, views, membership, now),
    }
    if not loaded.totals.rows and not loaded.refusal:
        if has_usage(organization):
            context["latest"] = latest_range(organization)
        elif not organization.scope and not request.GET and not request.htmx:
            return connecting.show(request, membership)
    return answer(request, "dashboard", membership, form, context, query_string(loaded.selection))


@page
def subgroups(request: PageRequest, slug: str) -> HttpResponse:
    """The rows that a group of the dashboard's table opens to: the parameters are those of the page that is filtered to
    the group."""
    membership = membership_for(request.user, slug)
    form = DashboardForm(request.GET, organization=membership.organization, now=timezone.now())
    selection = placed(form.selection, views_for(membership))
    key = opening.key_of(selection) if form.is_valid() else None
    if key is None:
        said = "Expected the parameters of the dashboard, a subgroup, and a filter to one group."
        return HttpResponseBadRequest(said, content_type="text/plain")
    keep(selection)  # links of its rows may say it in short
    context = {"opened": opening.load(selection, key), "organization": membership.organization}
    return render(request, "aggregates/_subgroups.html", context)


@page
def values(request: PageRequest, slug: str) -> HttpResponse:
    """The groups of the dimension that is about to be filtered by, to pick from: the highest that match."""
    organization = membership_for(request.user, slug).organization
    parameters = request.GET.copy()
    place = parameters.pop("add", [""])[0].removeprefix("not_")
    if place not in BY_NAME:
        return HttpResponseBadRequest(f"add: expected one of {', '.join(BY_NAME)}.", content_type="text/plain")
    typed = read_typed("".join(parameters.pop("value", [])[:1])).replace("\0", "")
    match = "".join(parameters.pop("match", [])[:1])
    form = DashboardForm(parameters, organization=organization, now=timezone.now())
    picked = form.cleaned_data["pick"] if form.is_valid() else []
    return render(
        request,
        "aggregates/_values.html",
        {"choice": choices.read(form.selection, place, typed, picked, is_beginning=match == "begin"), "typed": typed},
    )


def comparisons_of(selection: Selection) -> dict[str, str]:
    """Give what can be chosen here, and what was chosen on another page."""
    if not selection.compare or selection.compare in COMPARISONS:
        return COMPARISONS
    how = ", by the day" if selection.is_per_day else ""
    return {**COMPARISONS, selection.compare: f"With {selection.compared.range.words}{how}"}


def latest_range(organization: Organization) -> Selection | None:
    """Choose the 30 days up to the last day with usage; None for an organization that has none yet."""
    day = reading.latest_day(organization)
    if day is None:
        return None
    day = min(day, days.date_of(timezone.now(), organization.time_zone))  # a sender's clock may be ahead
    first = day - timedelta(days=LENGTHS["30d"] - 1)
    chosen: Range = ranges.of_days("custom", max(first, ranges.EARLIEST), day, organization.time_zone)
    return Selection(organization, chosen)
