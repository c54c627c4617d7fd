"""Following the link of an invitation, with an account that there is or one that is made for it.

The secret of the link moves into the session at once: it is in no address of a page, and outlasts a log-in.
"""

from http import HTTPStatus

from django.conf import settings
from django.contrib.auth import login
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from aggregates.accounts import attempts, audit_events, invitations
from aggregates.accounts.access import organizations_of
from aggregates.accounts.addresses import client_address
from aggregates.accounts.attempts import TooManyAttempts
from aggregates.accounts.forms.members import JoinForm
from aggregates.accounts.invitations import NotOpen, OfAnother
from aggregates.accounts.sign_in import began_with_provider, is_provider_only
from aggregates.models import Invitation, Membership, User

SECRET = "invitation"  # noqa: S105 (of the session)


@never_cache
@require_safe
def follow(request: HttpRequest, secret: str) -> HttpResponse:
    """Keep the secret of a link that is good, and lead to the page that says what for."""
    try:
        invitations.opened_by(secret)
    except NotOpen:
        return _gone(request)
    request.session[SECRET] = secret
    return redirect("join")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Say what the link leads to; the form makes one a member."""
    secret = request.session.get(SECRET, "")
    try:
        invitation = invitations.opened_by(secret)
        if request.method != "POST":
            return _show(request, invitation)
        if _needs_provider(request, invitation):
            return _show(request, invitation)
        if isinstance(request.user, User):
            return _enter(request, invitations.accept(secret, request.user))
        return _make_account(request, invitation, secret)
    except NotOpen:
        return _gone(request)
    except OfAnother:
        return redirect("join")


def _make_account(request: HttpRequest, invitation: Invitation, secret: str) -> HttpResponse:
    if _has_account(invitation):
        return _show(request, invitation)
    form = JoinForm(invitation.email, request.POST)
    account = invitation.email or request.POST.get("email", "")
    try:
        counted = attempts.admit(account, client_address(request.META))
    except TooManyAttempts as error:
        form.add_error(None, str(error))
        return _show(request, invitation, form, HTTPStatus.TOO_MANY_REQUESTS)
    if not form.is_valid():
        return _show(request, invitation, form)
    try:
        with transaction.atomic():
            user = form.save()
            audit_events.write_account_added(user)
            member = invitations.accept(secret, user)
    except IntegrityError:  # somebody else made the account just now
        return redirect("join")
    attempts.give_back(counted)
    login(request, user)
    return _enter(request, member)


def _enter(request: HttpRequest, member: Membership) -> HttpResponse:
    request.session.pop(SECRET, None)
    return redirect("dashboard", member.organization.slug)


def _needs_provider(request: HttpRequest, invitation: Invitation) -> bool:
    """Say whether the organization lets in only who came with the provider, and this one did not; who has rights over
    the site never does."""
    user = request.user if isinstance(request.user, User) else None
    if not is_provider_only(invitation.organization) or (user and user.has_rights):
        return False
    return not (user and began_with_provider(request, user))


def _has_account(invitation: Invitation) -> bool:
    return bool(invitation.email) and User.objects.named(invitation.email).exists()


def _show(
    request: HttpRequest, invitation: Invitation, form: JoinForm | None = None, status: int = HTTPStatus.OK
) -> HttpResponse:
    user = request.user if isinstance(request.user, User) else None
    context = {
        "invitation": invitation,
        "has_account": _has_account(invitation),
        "of_another": bool(user and invitation.email and user.email.lower() != invitation.email.lower()),
        "form": None if user else form or JoinForm(invitation.email),
        "organizations": organizations_of(user) if user else [],
        "provider_id": settings.SSO_PROVIDER,
        "provider": settings.SSO_NAME if _needs_provider(request, invitation) else "",
    }
    return render(request, "account/join.html", context, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    request.session.pop(SECRET, None)
    return render(request, "account/join.html", {"invitation": None}, status=HTTPStatus.NOT_FOUND)
