"""The people of an organization: its members, and who is invited."""

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from aggregates.accounts import invitations, members, passwords
from aggregates.accounts.access import NoAccess, Permission, may, membership_for, roles_within
from aggregates.accounts.attempts import TooManyAttempts
from aggregates.accounts.forms.limits import LimitsForm
from aggregates.accounts.forms.members import InviteForm, RoleForm
from aggregates.accounts.invitations import CannotInvite
from aggregates.accounts.members import CannotChange
from aggregates.domain.texts import shown
from aggregates.models import Invitation, Membership
from aggregates.models.organization import SEEING
from aggregates.ops import mail
from aggregates.web.pages.members import lines_for, reason_to_stay
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page


@form_page
def member_list(request: PageRequest, slug: str) -> HttpResponse:
    """List the members; a form that is sent here invites somebody."""
    membership = membership_for(request.user, slug, Permission.PLACE)
    if request.method != "POST":
        return _show(request, membership)
    if not may(membership, Permission.MEMBERS):
        raise NoAccess("invitation")
    form = InviteForm(roles_within(membership), request.POST)
    if not form.is_valid():
        return _show(request, membership, form)
    try:
        invitation, secret = invitations.invite(membership, form.cleaned_data["email"], form.chosen_role, form.limits)
    except CannotInvite as error:
        form.add_error("email", str(error))
        return _show(request, membership, form)
    if form.cleaned_data["by_mail"]:
        return _send(request, membership, invitation)
    return _show(request, membership, link=link_of(request, secret), invited=invitation)


@action
def change_role(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.MEMBERS)
    form = RoleForm(roles_within(membership), request.POST)
    if not form.is_valid():
        raise NoAccess("role")
    try:
        member = members.change_role(membership, number, form.chosen_role)
    except CannotChange as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{shown(member.user.email)} is {member.get_role_display().lower()} now.")
    return redirect("members", slug)


@action
def limit_member(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Let a member see a part of the usage only, or all of it."""
    membership = membership_for(request.user, slug, Permission.MEMBERS)
    form = LimitsForm(request.POST)
    if not form.is_valid():
        problems = [f"{form[name].label}: {' '.join(map(str, found))}" for name, found in form.errors.items()]
        messages.error(request, " ".join(problems))
        return redirect("members", slug)
    try:
        member = members.limit(membership, number, form.limits)
    except CannotChange as error:
        messages.error(request, str(error))
    else:
        seen = f"only {member.scope.words}" if member.scope else "everything"
        messages.success(request, f"{shown(member.user.email)} sees {seen} now.")
    return redirect("members", slug)


@action
def remove_member(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.MEMBERS)
    try:
        member = members.remove(membership, number)
    except CannotChange as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{shown(member.user.email)} is no member any longer, and sees nothing of it.")
    return redirect("members", slug) if may_still_see(request, slug) else redirect("home")


@action
def make_password_link(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Show a link with which a member sets a new password, this once."""
    membership = membership_for(request.user, slug, Permission.MEMBERS)
    member = passwords.member_for_link(membership, number)
    with transaction.atomic():
        link = passwords.hand_over_link(member.user, request.build_absolute_uri(reverse("home")))
    return _show(request, membership, password_link=link, whose=member)


@action
def leave(request: PageRequest, slug: str) -> HttpResponse:
    try:
        members.leave(membership_for(request.user, slug, Permission.PLACE))
    except CannotChange as error:
        messages.error(request, str(error))
        return redirect("members", slug)
    return redirect("home")


@action
def resend_invitation(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Give the invitation another link: by mail where that was so, or else on the page, this once."""
    membership = membership_for(request.user, slug, Permission.MEMBERS)
    invitation = invitations.find(membership, number)
    if settings.SENDS_MAIL and invitation.email and "by_mail" in request.POST:
        return _send(request, membership, invitation, anew=True)
    try:
        secret = invitations.renew(invitation)
    except invitations.NotOpen:
        raise NoAccess("invitation") from None
    return _show(request, membership, link=link_of(request, secret), invited=invitation)


@action
def revoke_invitation(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.MEMBERS)
    invitations.revoke(membership, number)
    messages.success(request, "Revoked: the link of that invitation is good no longer.")
    return redirect("members", slug)


def link_of(request: PageRequest, secret: str) -> str:
    """Write the link of an invitation."""
    return request.build_absolute_uri(reverse("follow-invitation", args=[secret]))


def may_still_see(request: PageRequest, slug: str) -> bool:
    """Say whether the visitor is a member still."""
    return Membership.objects.filter(user=request.user, organization__slug=slug).exists()


def _send(request: PageRequest, membership: Membership, invitation: Invitation, *, anew: bool = False) -> HttpResponse:
    try:
        invitations.admit_mail(membership.organization, invitation.email)
    except TooManyAttempts as error:
        messages.error(request, f"No mail to {shown(invitation.email)}. {error}")
    else:
        mail.request_invitation(invitation, request.build_absolute_uri(reverse("home")), request.user, anew=anew)
        messages.success(request, f"A mail is on its way to {shown(invitation.email)}.")
    return redirect("members", membership.organization.slug)


def _show(
    request: PageRequest,
    membership: Membership,
    form: InviteForm | None = None,
    link: str = "",
    invited: Invitation | None = None,
    password_link: str = "",
    whose: Membership | None = None,
) -> HttpResponse:
    """Show the page; a link is on it in answer to the form alone, and kept nowhere that could show it again."""
    manages = may(membership, Permission.MEMBERS)
    context = {
        **common(request, membership, "members"),
        "membership": membership,
        "lines": lines_for(membership),
        "roles": roles_within(membership),
        "limited_roles": SEEING,
        "stays": reason_to_stay(membership),
        "invitations": invitations.invitations_of(membership.organization) if manages else [],
        "form": form or InviteForm(roles_within(membership)),
        "sends_mail": settings.SENDS_MAIL,
        "days": invitations.GOOD_FOR.days,
        "link": link,
        "invited": invited,
        "password_link": password_link,
        "whose": whose,
        "now": timezone.now(),
    }
    return render(request, "aggregates/members.html", context)
