"""Revoking invitations and keys, each with its audit entry; and what is only as good as a member's place."""

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from aggregates.accounts import audit_events
from aggregates.accounts.access import Permission, may, roles_within
from aggregates.db import clock
from aggregates.db.locks import Lock, take
from aggregates.models import ApiKey, Invitation, Kind, Membership, User
from aggregates.models.api_key import WORKING
from aggregates.models.invitation import OPEN


def revoke_invitations(invitations: QuerySet[Invitation]) -> int:
    """Revoke those of them that are open, expired ones included; return how many."""
    with transaction.atomic():
        found = invitations.filter(OPEN).select_related("organization").order_by("pk")
        rows = list(found.select_for_update(no_key=True, of=("self",)))
        for invitation in rows:
            Invitation.objects.filter(pk=invitation.pk).update(revoked_at=clock.now())
            audit_events.write_invitation_revoked(invitation)
    return len(rows)


def revoke_keys(keys: QuerySet[ApiKey]) -> int:
    """Refuse those of them that work, from now on; return how many."""
    with transaction.atomic():
        found = keys.filter(WORKING).select_related("organization").order_by("pk")
        rows = list(found.select_for_update(no_key=True, of=("self",)))
        for key in rows:
            ApiKey.objects.filter(pk=key.pk).update(revoked_at=Now())
            audit_events.write_key_revoked(key)
    return len(rows)


def revoke_all(member: Membership) -> None:
    """Revoke what somebody promised, and let keys do, who is a member no longer; the lock of members is held."""
    revoke_invitations(_invitations_of(member))
    revoke_keys(_managing_keys_of(member))


def revoke_above(member: Membership) -> None:
    """Revoke what somebody with less to say now may no longer promise, or let keys do; the lock of members is held."""
    revoke_invitations(_invitations_of(member).exclude(role__in=roles_within(member)))
    if not may(member, Permission.KEYS):
        revoke_keys(_managing_keys_of(member))


def revoke_of_account(user: User) -> None:
    """Revoke what an account promised, and let keys do, in every organization: before it is deleted."""
    with transaction.atomic():
        promised, managing = Invitation.objects.filter(created_by=user), ApiKey.objects.filter(created_by=user)
        managing = managing.filter(kind=Kind.MANAGE)
        places = (Membership.objects.filter(user=user), promised, managing)
        numbers = {number for found in places for number in found.values_list("organization_id", flat=True)}
        take(Lock.MEMBERS, *(number % 2**31 for number in numbers))
        revoke_invitations(promised)
        revoke_keys(managing)


def _invitations_of(member: Membership) -> QuerySet[Invitation]:
    return Invitation.objects.filter(organization=member.organization_id, created_by=member.user_id)


def _managing_keys_of(member: Membership) -> QuerySet[ApiKey]:
    """Find the keys that do what the member may."""
    made = ApiKey.objects.filter(organization=member.organization_id, created_by=member.user_id)
    return made.filter(kind=Kind.MANAGE)
