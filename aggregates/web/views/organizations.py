"""New organizations, which staff make."""

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from aggregates.accounts import invitations, organizations
from aggregates.accounts.access import check_staff, organizations_of
from aggregates.accounts.forms.settings import NewOrganizationForm, zones
from aggregates.accounts.organizations import SlugTaken
from aggregates.models import Invitation, Organization, User
from aggregates.ops import mail
from aggregates.web.views.gate import PageRequest, form_page
from aggregates.web.views.members import link_of


@form_page
def new_organization(request: PageRequest) -> HttpResponse:
    """Make an organization for an account, or for somebody who is invited to own it."""
    check_staff(request.user)
    form = NewOrganizationForm(request.POST if request.method == "POST" else None)
    if not (form.is_bound and form.is_valid()):
        return _show(request, form)
    email = form.cleaned_data["owner"]
    owner = User.objects.named(email).first() if email else request.user
    organization = form.save(commit=False)
    try:
        with transaction.atomic():  # none is left without an owner
            organizations.create(organization, owner)
            invited = None if owner else invitations.invite_owner(organization, email)
    except SlugTaken as error:
        form.add_error("slug", str(error))
        return _show(request, form)
    if invited:
        return _send(request, organization, *invited)
    return redirect("dashboard", organization.slug) if owner == request.user else _show(request, made=organization)


def _send(request: PageRequest, organization: Organization, invitation: Invitation, secret: str) -> HttpResponse:
    if settings.SENDS_MAIL:
        mail.request_invitation(invitation, request.build_absolute_uri(reverse("home")), request.user)
        return _show(request, made=organization, invited=invitation)
    return _show(request, made=organization, invited=invitation, link=link_of(request, secret))


def _show(
    request: PageRequest,
    form: NewOrganizationForm | None = None,
    made: Organization | None = None,
    invited: Invitation | None = None,
    link: str = "",
) -> HttpResponse:
    context = {
        "organizations": organizations_of(request.user),
        "form": form or NewOrganizationForm(),
        "zones": zones(),
        "made": made,
        "invited": invited,
        "link": link,
        "days": invitations.GOOD_FOR.days,
    }
    return render(request, "aggregates/new_organization.html", context)
