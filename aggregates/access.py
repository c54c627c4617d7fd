"""Who may see what: every read takes an organization from here, or one that the caller was given for a key."""

from aggregates.models import Membership, Organization, User


class NoAccess(LookupError):
    """There is no such thing, or none that this user may see: the two are not told apart."""


def membership_for(user: User, slug: str) -> Membership:
    """The user's place in the organization; raises NoAccess."""
    try:
        return Membership.objects.select_related("organization").get(user=user, organization__slug=slug)
    except Membership.DoesNotExist:
        raise NoAccess(slug) from None


def organization_for(user: User, slug: str) -> Organization:
    """The organization, for any of its members; raises NoAccess."""
    return membership_for(user, slug).organization


def organizations_of(user: User) -> list[Organization]:
    """The organizations that the user is a member of, by name."""
    return list(Organization.objects.filter(members=user))


def check_staff(user: User) -> None:
    """Only staff see across organizations; raises NoAccess."""
    if not user.is_staff:
        raise NoAccess("platform")
