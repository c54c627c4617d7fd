"""Invitations: a member makes one, its link is good once and for a week, and who follows it becomes a member."""

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower, Now

from aggregates.accounts import attempts, audit_events
from aggregates.accounts.access import NoAccess, Permission, may, roles_within
from aggregates.accounts.members import Limits, add, locked
from aggregates.accounts.revocation import revoke_invitations
from aggregates.db import clock
from aggregates.domain.secret import digest
from aggregates.domain.texts import shown
from aggregates.models import Invitation, Membership, Organization, Role, User
from aggregates.models.invitation import OPEN

GOOD_FOR = timedelta(days=7)
KEPT_FOR = timedelta(days=30)  # after it ended
MOST = 50  # open ones of an organization
MAILS_OF_ORGANIZATION = attempts.Limit("invitations of an organization by mail", 60, 3600)
MAILS_TO_ADDRESS = attempts.Limit("invitations to an address by mail", 5, 3600)


class CannotInvite(ValueError):
    """There is such a member already, or there are too many invitations; the message says so to people."""


class NotOpen(LookupError):
    """The link is good no longer, or never was."""


class OfAnother(ValueError):
    """The invitation is for another address than that of the account."""


def invitations_of(organization: Organization) -> QuerySet[Invitation]:
    """List the invitations that nobody has accepted or revoked, the latest first; some have expired."""
    invited = Invitation.objects.filter(OPEN, organization=organization)
    return invited.select_related("created_by").order_by("-created_at", "-pk")


def invite(by: Membership, email: str, role: Role, limits: Limits | None = None) -> tuple[Invitation, str]:
    """Invite the owner of an address, or with '' whoever has the link, to see all or, with limits, a part; return the
    secret of the link, too.

    One who is invited already is invited anew: the link of before is good no longer. Raises NoAccess for a role above
    the own, and CannotInvite.
    """
    if role not in roles_within(by):
        raise NoAccess("role")
    return _make(by.organization, email, role, by.user, limits or {})


def invite_owner(organization: Organization, email: str) -> tuple[Invitation, str]:
    """Invite an owner on behalf of whoever runs the site, who is no member; raises CannotInvite."""
    return _make(organization, email, Role.OWNER, None, {})


def _make(
    organization: Organization, email: str, role: Role, by: User | None, limits: Limits
) -> tuple[Invitation, str]:
    email = User.objects.normalize_email(email.strip())
    with locked(organization):
        if email and Membership.objects.filter(organization=organization, user__in=User.objects.named(email)).exists():
            raise CannotInvite(f"{shown(email)} is a member already.")
        others = Invitation.objects.filter(OPEN, organization=organization)
        if email:
            revoke_invitations(_to(others, email))
        if others.filter(expires_at__gt=Now()).count() >= MOST:
            raise CannotInvite(f"There are {MOST} open invitations already: revoke some that nobody will accept.")
        text = secrets.token_urlsafe(32)
        invitation = Invitation.objects.create(
            organization=organization,
            email=email,
            role=role,
            limited_to=dict(limits),
            secret_hash=digest(text),
            created_by=by,
            expires_at=clock.now() + GOOD_FOR,
        )
        audit_events.write_invited(invitation)
    return invitation, text


def admit_mail(organization: Organization, email: str) -> None:
    """Count a mail with an invitation's link; raises TooManyAttempts."""
    attempts.admit_all(
        {
            MAILS_OF_ORGANIZATION.key(str(organization.pk)): MAILS_OF_ORGANIZATION,
            MAILS_TO_ADDRESS.key(email.casefold()): MAILS_TO_ADDRESS,
        },
        email,
    )


def renew(invitation: Invitation, by: User | None = None) -> str:
    """Give the invitation another link, good for as long as a new one, and return its secret: the one of before is
    good no longer. `by` is who wanted it, where that is not who is logged in. Raises NotOpen."""
    with transaction.atomic():
        text, until = make_link(invitation)
        audit_events.write_renewed(invitation, until, by)
    return text


def make_link(invitation: Invitation) -> tuple[str, datetime]:
    """Give an invitation whose link nobody has seen another one: its secret, and until when it is good. Raises
    NotOpen."""
    text, until = secrets.token_urlsafe(32), clock.now() + GOOD_FOR
    if not Invitation.objects.filter(OPEN, pk=invitation.pk).update(secret_hash=digest(text), expires_at=until):
        raise NotOpen
    return text, until


def note_sent(invitation: Invitation) -> None:
    """Note that the link is on its way by mail."""
    Invitation.objects.filter(pk=invitation.pk).update(sent_at=Now())


def find(by: Membership, number: int) -> Invitation:
    """Find an open or expired invitation that a member may send again or revoke; raises NoAccess."""
    within = Q(role__in=roles_within(by))
    found = invitations_of(by.organization).select_related("organization").filter(within, pk=number).first()
    if found is None:
        raise NoAccess("invitation")
    return found


def revoke(by: Membership, number: int) -> Invitation:
    """Make the link good for nobody; raises NoAccess."""
    invitation = find(by, number)
    with locked(by.organization):  # nobody accepts it meanwhile
        revoke_invitations(Invitation.objects.filter(pk=invitation.pk))
    return invitation


def opened_by(text: str) -> Invitation:
    """Find the invitation that a link is good for now; raises NotOpen.

    It is as good as who made it: one who left, or may give that role no longer, has nothing to promise.
    """
    good = Invitation.objects.filter(OPEN, expires_at__gt=Now(), organization__removal_asked_at=None)
    invitation = good.select_related("organization", "created_by").filter(secret_hash=digest(text)).first()
    if invitation is None or not _is_backed(invitation):
        raise NotOpen
    return invitation


def accept(text: str, user: User) -> Membership:
    """Make the user a member as the link says, and let it be good no longer; raises NotOpen, and OfAnother.

    One who is a member already keeps the place, and the link stays good for somebody else.
    """
    invitation = opened_by(text)
    with locked(invitation.organization):
        invitation = opened_by(text)  # nobody else has accepted it meanwhile, or taken the inviter's place away
        if invitation.email and invitation.email.lower() != user.email.lower():
            raise OfAnother
        is_known = Membership.objects.filter(organization=invitation.organization, user=user).exists()
        member = add(invitation.organization, user, Role(invitation.role), invitation.limited_to)
        if invitation.email or not is_known:
            Invitation.objects.filter(pk=invitation.pk).update(accepted_at=Now())
    return member


def forget() -> None:
    """Delete invitations that ended a while ago, with the addresses in them."""
    before = clock.now() - KEPT_FOR
    ended = Q(expires_at__lt=before) | Q(accepted_at__lt=before) | Q(revoked_at__lt=before)
    Invitation.objects.filter(ended).delete()


def _to(invitations: QuerySet[Invitation], email: str) -> QuerySet[Invitation]:
    """Keep to an address whatever its case, as the index has it."""
    return invitations.alias(lowered=Lower("email")).filter(lowered=email.lower())


def _is_backed(invitation: Invitation) -> bool:
    if invitation.created_by_id is None:  # made by whoever runs the site
        return True
    inviter = Membership.objects.filter(
        organization=invitation.organization_id, user=invitation.created_by_id, user__is_active=True
    ).first()
    return inviter is not None and may(inviter, Permission.MEMBERS) and Role(invitation.role) in roles_within(inviter)
