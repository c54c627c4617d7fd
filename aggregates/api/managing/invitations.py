"""/api/v1/invitations: who is invited; the link of an invitation is in one answer only, to whoever makes it."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.urls import reverse

from aggregates.accounts import invitations
from aggregates.accounts.access import NoAccess, Permission, roles_within
from aggregates.accounts.attempts import TooManyAttempts
from aggregates.accounts.forms.limits import fields_of
from aggregates.accounts.forms.members import InviteForm
from aggregates.accounts.invitations import CannotInvite
from aggregates.api.managing.fields import FLAG, TEXT, TEXTS, body_of, check
from aggregates.api.managing.lists import item_of, page_of
from aggregates.api.managing.resources import ManagingRequest, absent, conflict, resource
from aggregates.api.problems import ApiError, problem
from aggregates.models import Invitation
from aggregates.ops import mail

FIELDS = {"email": TEXT, "role": TEXT, "projects": TEXTS, "users": TEXTS, "by_mail": FLAG}


def list_invitations(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "invitations", invitations.invitations_of(request.organization), as_json)


def read_invitation(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "invitation", number, invitations.invitations_of(request.organization), as_json)


def invite(request: ManagingRequest) -> HttpResponse:
    """Invite the owner of an address, or whoever has the link; by mail where that is wanted and set up."""
    form = InviteForm(roles_within(request.by), body_of(request.http, FIELDS))
    check(form)
    by_mail = form.cleaned_data["by_mail"]
    if by_mail:
        try:
            invitations.admit_mail(request.organization, form.cleaned_data["email"])
        except TooManyAttempts as error:  # answered, not raised: what was counted stays counted
            headers = {"Retry-After": str(error.seconds)}
            return problem(request.http, ApiError(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers))
    try:
        made, secret = invitations.invite(request.by, form.cleaned_data["email"], form.chosen_role, form.limits)
    except CannotInvite as error:
        raise conflict(error) from None
    link = None
    if by_mail:
        mail.request_invitation(made, request.http.build_absolute_uri(reverse("home")), request.user)
    else:
        link = request.http.build_absolute_uri(reverse("follow-invitation", args=[secret]))
    made.refresh_from_db()
    return JsonResponse(as_json(made) | {"link": link}, status=HTTPStatus.CREATED)


def revoke(request: ManagingRequest, number: int) -> HttpResponse:
    """Make the link of an invitation good for nobody."""
    try:
        invitations.revoke(request.by, number)
    except NoAccess:
        raise absent("invitation", number) from None
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def as_json(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.pk,
        "email": invitation.email or None,
        "role": invitation.role,
        **fields_of(invitation.limited_to),
        "created_at": invitation.created_at,
        "created_by": invitation.created_by.email if invitation.created_by else None,
        "expires_at": invitation.expires_at,
        "sent_at": invitation.sent_at,
    }


invitation_list = resource(Permission.MEMBERS, GET=list_invitations, POST=invite)
invitation = resource(Permission.MEMBERS, GET=read_invitation, DELETE=revoke)
