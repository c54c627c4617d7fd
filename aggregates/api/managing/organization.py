"""/api/v1/organization: what the organization is called, and how its days, weeks and fiscal years begin."""

from typing import Any

from django.http import HttpResponse, JsonResponse

from aggregates.accounts import organizations
from aggregates.accounts.access import Permission
from aggregates.accounts.forms.settings import GeneralForm, SlugForm, TimeZoneForm
from aggregates.accounts.organizations import SlugTaken
from aggregates.api.managing.fields import TEXT, WHOLE, body_of, check
from aggregates.api.managing.resources import ManagingRequest, check_parameters, conflict, resource
from aggregates.models import FormerSlug, Organization
from aggregates.ops import time_zones

GENERAL = {"name": TEXT, "first_weekday": WHOLE, "first_month": WHOLE}
FIELDS = {**GENERAL, "slug": TEXT, "time_zone": TEXT}


def read(request: ManagingRequest) -> HttpResponse:
    check_parameters(request)
    return JsonResponse(as_json(request.organization))


def change(request: ManagingRequest) -> HttpResponse:
    """Change settings; what is not said stays. All days are cut anew for another time zone, by the task cluster."""
    body = body_of(request.http, FIELDS)
    if "slug" in body:
        _change_slug(request.organization, body["slug"])
    own = Organization.objects.get(pk=request.organization.pk)
    stays = {name: getattr(own, name) for name in GENERAL}
    general = GeneralForm(stays | {name: body[name] for name in GENERAL if name in body}, instance=own)
    check(general)
    organizations.change_settings(own, general.changed_data)
    if "time_zone" in body:
        _ask_for_time_zone(request, body["time_zone"])
    own.refresh_from_db()
    return JsonResponse(as_json(own))


def _change_slug(organization: Organization, slug: str | None) -> None:
    form = SlugForm({"slug": slug}, instance=Organization.objects.get(pk=organization.pk))
    check(form)
    try:
        organizations.change_slug(organization, form.cleaned_data["slug"])
    except SlugTaken as error:
        raise conflict(error) from None


def _ask_for_time_zone(request: ManagingRequest, zone: str | None) -> None:
    form = TimeZoneForm({"time_zone": zone, "sure": True})  # a program that sends it is sure
    check(form)
    time_zones.request(request.organization, form.cleaned_data["time_zone"], request.user)


def as_json(organization: Organization) -> dict[str, Any]:
    former = FormerSlug.objects.filter(organization=organization).order_by("-given_up_at")
    return {
        "slug": organization.slug,
        "former_slugs": list(former.values_list("slug", flat=True)),
        "name": organization.name,
        "time_zone": organization.time_zone,
        "wanted_time_zone": organization.wanted_time_zone or None,
        "time_zone_problem": organization.time_zone_problem or None,
        "first_weekday": organization.first_weekday,
        "first_month": organization.first_month,
        "created_at": organization.created_at,
    }


settings = resource(Permission.SETTINGS, GET=read, PATCH=change)
