"""All organizations at once, for staff."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from aggregates.accounts.access import Permission, check_staff, open_to, organizations_of
from aggregates.domain import ranges
from aggregates.query.addresses import range_query
from aggregates.query.forms.ranges import RangeForm
from aggregates.query.platform import furthest_zone, places
from aggregates.web.pages import overview
from aggregates.web.views.gate import PageRequest, page

NAMES = tuple(name for name in ranges.NAMES if name != "24h")  # the aggregates know no hours


@page
def platform(request: PageRequest) -> HttpResponse:
    check_staff(request.user)
    now = timezone.now()
    form = RangeForm(request.GET, zone=furthest_zone(now), now=now, names=NAMES)
    own = {place: chosen for place in places() if (chosen := form.chosen_in(*place))}
    loaded = overview.load(form.chosen, own)
    is_open = open_to(request.user, Permission.SEE)
    context = {
        "form": form,
        "overview": loaded,
        "range": form.chosen,
        "organizations": organizations_of(request.user),
        "open": [organization for organization, _ in loaded.lines if organization and is_open(organization)],
    }
    if request.htmx:
        response = render(request, "aggregates/_platform.html", context)
        if not form.errors:
            response["HX-Push-Url"] = request.path + range_query(form.chosen)
        return response
    return render(request, "aggregates/platform.html", context)
