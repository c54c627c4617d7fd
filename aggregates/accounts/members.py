"""The members of an organization: their roles change, and they go; an owner always stays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Case, QuerySet, Value, When

from aggregates.accounts import audit_events
from aggregates.accounts.access import HIGHEST_FIRST, NoAccess, Permission, may, roles_within
from aggregates.accounts.revocation import revoke_above, revoke_all
from aggregates.db.locks import Lock, take
from aggregates.domain.texts import shown
from aggregates.models import Membership, Organization, Role, User
from aggregates.models.organization import SEEING

Limits = Mapping[str, Sequence[str]]  # the values in sight, by dimension; without any, everything is


PART_STAYS = "You see a part of the usage only: ask an admin to remove you."


class CannotChange(ValueError):
    """The member's place has to stay as it is; the message says why to people."""


def members_of(organization: Organization) -> QuerySet[Membership]:
    """List the members, the highest role first."""
    rank = Case(*(When(role=role, then=Value(place)) for place, role in enumerate(HIGHEST_FIRST)))
    members = Membership.objects.filter(organization=organization).select_related("user")
    return members.order_by(rank, "user__email")


def add(organization: Organization, user: User, role: Role, limits: Limits | None = None) -> Membership:
    """Make a user a member, who sees all or only a part; one who is a member already keeps the place."""
    with transaction.atomic():
        place = {"role": role, "limited_to": limits or {}}
        member, is_new = Membership.objects.get_or_create(organization=organization, user=user, defaults=place)
        if is_new:
            audit_events.write_member_added(member)
    return member


def change_role(by: Membership, number: int, role: Role) -> Membership:
    """Give a member another role, as another member; raises NoAccess, and CannotChange for the last owner."""
    with locked(by.organization):
        member = _within_reach(by, number)
        if role not in roles_within(_now(by)):
            raise NoAccess("role")
        if role != Role.OWNER:
            _check_other_owner(member)
        if member.scope and role not in SEEING:
            raise CannotChange(
                f"{shown(member.user.email)} sees only {member.scope.words}: let them see everything first."
            )
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        audit_events.write_role(member, before)
        revoke_above(member)
    return member


def limit(by: Membership, number: int, limits: Limits) -> Membership:
    """Let a member see a part of the usage only, or without limits all of it, as another member; raises NoAccess, and
    CannotChange for roles that do more than see."""
    with locked(by.organization):
        member = _within_reach(by, number)
        if limits and member.role not in SEEING:
            raise CannotChange(
                f"{shown(member.user.email)} is {member.get_role_display().lower()}: only analysts and viewers can be "
                "limited to a part."
            )
        before, member.limited_to = member.scope, dict(limits)
        member.save(update_fields=["limited_to"])
        audit_events.write_part(member, before)
    return member


def change(by: Membership, number: int, role: Role | None = None, limits: Limits | None = None) -> Membership:
    """Give a member another role, part, or both; None leaves it as it is. Raises as the two do by themselves."""
    with locked(by.organization):
        member = _within_reach(by, number)
        if limits is not None and not limits and member.scope:  # roles that do more than see come without
            member = limit(by, number, limits)
        if role and role != member.role:
            member = change_role(by, number, role)
        if limits is not None and dict(limits) != member.limited_to:
            member = limit(by, number, limits)
    return member


def remove(by: Membership, number: int) -> Membership:
    """Take a member's place away, as another member; raises NoAccess, and CannotChange for the last owner."""
    with locked(by.organization):
        return _end(_within_reach(by, number))


def follow(member: Membership, role: Role | None) -> None:
    """Give a member the role that the sign-in provider says, or no place; the last owner keeps theirs, and who sees a
    part keeps to roles that see. Raises NoAccess where the place is gone."""
    with locked(member.organization):
        member = _now(member)
        if role == member.role or (role != Role.OWNER and is_last_owner(member)):
            return
        if role is None:
            _end(member)
            return
        if member.scope and role not in SEEING:
            return
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        audit_events.write_role(member, before)
        revoke_above(member)


def leave(membership: Membership) -> None:
    """Give up the own place; raises CannotChange for the last owner, and for who sees a part: whoever may come back by
    themselves, as by a sign-in provider, would see everything."""
    with locked(membership.organization):
        if _now(membership).scope:
            raise CannotChange(PART_STAYS)
        _end(membership)


@contextmanager
def locked(organization: Organization) -> Iterator[None]:
    """A transaction in which nobody else changes who the organization's members are."""
    with transaction.atomic():
        take(Lock.MEMBERS, organization.pk % 2**31)
        yield


def is_last_owner(membership: Membership) -> bool:
    """Say whether nobody else owns the organization who can log in."""
    owners = Membership.objects.filter(organization=membership.organization_id, role=Role.OWNER, user__is_active=True)
    return membership.role == Role.OWNER and not owners.exclude(pk=membership.pk).exists()


def has_owner(roles: Iterable[str]) -> bool:
    """Say whether one of these roles is an owner's."""
    return Role.OWNER in roles


def _now(membership: Membership) -> Membership:
    """Read a place again: it may have changed while the lock was waited for. Raises NoAccess where it is gone."""
    found = Membership.objects.select_related("user", "organization").filter(pk=membership.pk).first()
    if found is None:
        raise NoAccess("member")
    return found


def _within_reach(by: Membership, number: int) -> Membership:
    """Find a member whose place another one may change: of no role above the own."""
    by = _now(by)
    found = members_of(by.organization).select_related("user", "organization").filter(pk=number).first()
    if found is None or not may(by, Permission.MEMBERS) or Role(found.role) not in roles_within(by):
        raise NoAccess("member")
    return found


def _check_other_owner(member: Membership) -> None:
    if is_last_owner(member):
        raise CannotChange(
            f"{shown(member.user.email)} is the only owner of the organization: make somebody else an owner first."
        )


def _end(member: Membership) -> Membership:
    member = _now(member)
    _check_other_owner(member)
    revoke_all(member)
    audit_events.write_member_removed(member)
    Membership.objects.get(pk=member.pk).delete()
    return member
