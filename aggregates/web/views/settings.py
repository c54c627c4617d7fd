"""The settings of an organization: what it is called, how its days are cut, what becomes of its data."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from aggregates.accounts import organizations
from aggregates.accounts.access import Permission, membership_for
from aggregates.accounts.forms.settings import GeneralForm, RemovalForm, SlugForm, TimeZoneForm, zones
from aggregates.accounts.organizations import SlugTaken
from aggregates.models import FormerSlug, Organization
from aggregates.ops import removals, time_zones
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, form_page

Forms = dict[str, GeneralForm | SlugForm | TimeZoneForm]


@form_page
def general(request: PageRequest, slug: str) -> HttpResponse:
    """Show three forms; each is sent here under its name."""
    membership = membership_for(request.user, slug, Permission.SETTINGS)
    forms = _forms(membership.organization)
    if request.method == "POST":
        own = Organization.objects.get(pk=membership.organization_id)  # what is wrong is shown in its form alone
        match request.POST.get("form"):
            case "general":
                saved = _save_general(request, forms, own)
            case "slug":
                saved = _save_slug(request, forms, own)
            case _:
                saved = _ask_for_time_zone(request, forms, own)
        if saved:
            return redirect("settings", own.slug)
    context = {
        **common(request, membership, "settings"),
        "forms": forms,
        "zones": zones(),
        "former": FormerSlug.objects.filter(organization=membership.organization).order_by("-given_up_at"),
    }
    return render(request, "aggregates/settings.html", context)


@form_page
def data(request: PageRequest, slug: str) -> HttpResponse:
    """Say what is kept; an owner who types the slug has all of it removed."""
    membership = membership_for(request.user, slug, Permission.SETTINGS)
    organization = membership.organization
    form = RemovalForm(organization)
    if request.method == "POST":
        membership_for(request.user, slug, Permission.REMOVE)
        form = RemovalForm(organization, request.POST)
        if form.is_valid():
            removals.request(organization)
            messages.success(request, f"{organization.slug} is being removed. Nothing is recorded for it any longer.")
            return redirect("home")
    context = {**common(request, membership, "data"), "form": form, "keep_months": settings.KEEP_MONTHS}
    return render(request, "aggregates/data.html", context)


def _forms(organization: Organization) -> Forms:
    own = Organization.objects.get(pk=organization.pk)
    return {
        "general": GeneralForm(instance=own),
        "slug": SlugForm(instance=own),
        "time_zone": TimeZoneForm(initial={"time_zone": own.wanted_time_zone or own.time_zone}),
    }


def _save_general(request: PageRequest, forms: Forms, own: Organization) -> bool:
    form = forms["general"] = GeneralForm(request.POST, instance=own)
    if not form.is_valid():
        return False
    organizations.change_settings(own, form.changed_data)
    messages.success(request, "Saved.")
    return True


def _save_slug(request: PageRequest, forms: Forms, own: Organization) -> bool:
    form = forms["slug"] = SlugForm(request.POST, instance=own)
    if not form.is_valid():
        return False
    try:
        organizations.change_slug(own, form.cleaned_data["slug"])
    except SlugTaken as error:
        form.add_error("slug", str(error))
        return False
    messages.success(request, f"Its pages are under /o/{own.slug}/ now. Links with the address of before lead there.")
    return True


def _ask_for_time_zone(request: PageRequest, forms: Forms, own: Organization) -> bool:
    form = forms["time_zone"] = TimeZoneForm(request.POST)
    if not form.is_valid():
        return False
    if time_zones.request(own, form.cleaned_data["time_zone"], request.user):
        messages.success(request, "The days are being cut anew, while calls keep coming in.")
    else:
        messages.success(request, "The days stay as they are cut.")
    return True
