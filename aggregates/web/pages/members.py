"""The members of an organization as its page lists them."""

from dataclasses import dataclass

from aggregates.accounts import passwords
from aggregates.accounts.access import Permission, may, roles_within
from aggregates.accounts.members import PART_STAYS, is_last_owner, members_of
from aggregates.models import Membership, Role


@dataclass(frozen=True, slots=True)
class Line:
    """A member, and what whoever looks at the page may do about it."""

    member: Membership
    is_own: bool
    may_change: bool
    may_hand_over: bool  # a link for a new password


def lines_for(membership: Membership) -> list[Line]:
    """List the members for one who may manage them; for others, themselves alone."""
    if not may(membership, Permission.MEMBERS):
        return [Line(membership, is_own=True, may_change=False, may_hand_over=False)]
    within = roles_within(membership)
    reachable = set(passwords.reachable_from(membership).values_list("pk", flat=True))
    return [
        Line(member, member.pk == membership.pk, Role(member.role) in within, member.pk in reachable)
        for member in members_of(membership.organization)
    ]


def reason_to_stay(membership: Membership) -> str:
    """Say why the member cannot leave; "" where nothing is in the way."""
    if is_last_owner(membership):
        return "You are the only owner: make somebody else an owner before you leave."
    if membership.scope:
        return PART_STAYS
    return ""
