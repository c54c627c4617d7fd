"""Who may do what: everything on behalf of an organization begins with one from here."""

from django.db.models import Q
from django.db.models.functions import Now

from aggregates.domain import secret
from aggregates.models import ApiKey, Kind, Membership, Organization, Role, User


class NoAccess(LookupError):
    """There is no such thing, or none that this user may see: nobody can tell the two apart."""


def membership_for(user: User, slug: str) -> Membership:
    """Find the user's place in the organization; raises NoAccess."""
    try:
        return Membership.objects.select_related("organization").get(
            user=user, organization__slug=slug, organization__removal_asked_at=None
        )
    except Membership.DoesNotExist:
        raise NoAccess(slug) from None


def administered_by(user: User, slug: str) -> Organization:
    """Find the organization for its admins; raises NoAccess."""
    membership = membership_for(user, slug)
    if membership.role != Role.ADMIN:
        raise NoAccess(slug)
    return membership.organization


def key_for(text: str, kind: Kind) -> ApiKey:
    """Find the key of this kind with this secret, and its organization; raises NoAccess, also where it is revoked."""
    usable = ApiKey.objects.filter(Q(revoked_at=None) | Q(revoked_at__gt=Now()))
    try:
        return usable.select_related("organization").get(secret_hash=secret.digest(text), kind=kind)
    except ApiKey.DoesNotExist:
        raise NoAccess("key") from None


def organizations_of(user: User) -> list[Organization]:
    """List the organizations that the user is a member of, by name."""
    return list(Organization.objects.in_use().filter(members=user))


def find_organizations(user: User, sought: str, first: int, length: int) -> tuple[list[Organization], int]:
    """List so many of the user's organizations whose names contain a text, by name; and say how many there are."""
    found = Organization.objects.in_use().filter(members=user, name__icontains=sought)
    return list(found[first : first + length]), found.count()


def check_staff(user: User) -> None:
    """Let only staff see across organizations; raises NoAccess."""
    if not user.is_staff:
        raise NoAccess("platform")
