"""Who may do what: everything on behalf of an organization begins with one from here.

The organization carries the scope of whoever it was found for, and every query made of it has that.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from aggregates.accounts import audit_events
from aggregates.accounts.working_keys import working_key
from aggregates.domain import secret
from aggregates.models import ApiKey, Kind, Membership, Organization, Role, User

SEEN_EVERY = timedelta(minutes=10)  # a page writes nothing, as a rule
IN_MENU = 20  # organizations


class NoAccess(LookupError):
    """There is no such thing, or none that this user may see: nobody can tell the two apart."""


class OtherKind(NoAccess):
    """There is such a key in use, and it may do something else: `kind` says what."""

    def __init__(self, kind: Kind) -> None:
        super().__init__("key")
        self.kind = kind


class Permission(StrEnum):
    """What a role may allow."""

    SEE = "see"  # every page of numbers
    PLACE = "place"  # the own one among the members, and to leave it
    SEE_WHOLE = "see whole"  # what tells of the usage of all: what arrived, notes on days, views of the organization
    EXPORT = "export"
    SAVE_VIEWS = "save views"
    SHARE_VIEWS = "share views"
    NOTE = "note"  # on days
    IMPORT = "import"
    KEYS = "keys"
    PRICES = "prices"
    MEMBERS = "members"
    SETTINGS = "settings"
    AUDIT = "audit"
    REMOVE = "remove"  # the organization


VIEWER = frozenset({Permission.SEE, Permission.PLACE, Permission.SEE_WHOLE})
ANALYST = VIEWER | {Permission.EXPORT, Permission.SAVE_VIEWS}
ADMIN = frozenset(Permission) - {Permission.REMOVE}
PLATFORM = "platform"  # in the place of a role: somebody who reads every organization, and is no member of this one
READER = frozenset({Permission.SEE, Permission.SEE_WHOLE, Permission.EXPORT})
PERMISSIONS: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        Role.ADMIN: ADMIN,
        Role.ANALYST: ANALYST,
        Role.VIEWER: VIEWER,
        PLATFORM: READER,
    }
)
WITHIN_SCOPE = frozenset(
    {Permission.SEE, Permission.PLACE, Permission.EXPORT, Permission.SAVE_VIEWS}
)  # of what a role allows
HIGHEST_FIRST = tuple(Role)


def permissions_of(membership: Membership) -> frozenset[Permission]:
    """Return all that the member may do; who sees only a part does nothing that reaches beyond it."""
    allowed = PERMISSIONS[membership.role]
    return allowed & WITHIN_SCOPE if membership.scope else allowed


def may(membership: Membership, permission: Permission) -> bool:
    """Say whether the member may do this."""
    return permission in permissions_of(membership)


def roles_within(membership: Membership) -> tuple[Role, ...]:
    """List the roles that the member may give to others, the highest first: none above the own."""
    if not may(membership, Permission.MEMBERS):
        return ()
    return HIGHEST_FIRST[HIGHEST_FIRST.index(Role(membership.role)) :]


def membership_for(user: User, slug: str, permission: Permission = Permission.SEE) -> Membership:
    """Find the user's place in the organization, if it allows this; raises NoAccess.

    A platform reader gets one that is in no table; that it is used, the organization's audit log says.
    """
    of_slug = {"organization__slug": slug, "organization__removal_asked_at": None}
    membership = Membership.objects.select_related("organization").filter(user=user, **of_slug).first()
    membership = membership or _place_of_reader(user, slug)
    if membership is None or not may(membership, permission):
        raise NoAccess(slug)
    membership.organization.scope = membership.scope
    if is_reader(membership):
        audit_events.write_visit(user, membership.organization)
    else:
        _note_visit(membership)
    return membership


def organization_for(user: User, slug: str, permission: Permission) -> Organization:
    """Find the organization for a member who may do this; raises NoAccess."""
    return membership_for(user, slug, permission).organization


def is_reader(membership: Membership) -> bool:
    """Say whether it is the place of a platform reader, who is no member."""
    return membership.role == PLATFORM


def _place_of_reader(user: User, slug: str) -> Membership | None:
    organization = Organization.objects.in_use().filter(slug=slug).first() if user.reads_all else None
    return Membership(user=user, organization=organization, role=PLATFORM) if organization else None


def _note_visit(membership: Membership) -> None:
    now = timezone.now()
    if membership.last_seen_at is None or now - membership.last_seen_at > SEEN_EVERY:
        with suppress(DatabaseError), transaction.atomic():  # pages are answered where nothing can be written, too
            Membership.objects.filter(pk=membership.pk).update(last_seen_at=now)


def current_slug(user: User, slug: str) -> str | None:
    """Find what an organization of the user is called today that was called so before; None where there is none."""
    renamed = _open_to(user).filter(former_slugs__slug=slug)
    return renamed.values_list("slug", flat=True).first()


def key_for(text: str, kind: Kind) -> ApiKey:
    """Find the key of this kind with this secret, and its organization; raises NoAccess, also where it is revoked, and
    OtherKind."""
    key = working_key(secret.digest(text))
    if key is None:
        raise NoAccess("key")
    if key.kind != kind:
        raise OtherKind(Kind(key.kind))
    key.organization.scope = key.scope
    return key


def membership_of(key: ApiKey, permission: Permission) -> Membership:
    """Find the place of who made a key that manages, as whom it acts, if it allows this now; raises NoAccess."""
    places = Membership.objects.select_related("organization", "user").filter(user__is_active=True)
    place = places.filter(organization=key.organization_id, user=key.created_by_id).first()
    if place is None or not may(place, permission):
        raise NoAccess("key")
    return place


def organizations_of(user: User) -> list[Organization]:
    """List the first organizations that the user is a member of, or of all for a platform reader, by name: one more
    than a menu shows."""
    return list(_open_to(user)[: IN_MENU + 1])


def find_organizations(user: User, containing: Iterable[str]) -> QuerySet[Organization]:
    """Find the user's organizations whose names contain each of these texts, by name."""
    found = _open_to(user)
    for text in containing:
        found = found.filter(name__icontains=text)
    return found


def open_to(user: User, permission: Permission) -> Callable[[Organization], bool]:
    """Make what says whether an organization lets the user do this."""
    places = {each.organization_id: each for each in Membership.objects.filter(user=user)}
    reads_all = user.reads_all and permission in READER

    def is_open(organization: Organization) -> bool:
        place = places.get(organization.pk)
        return not organization.removal_asked_at and (may(place, permission) if place else reads_all)

    return is_open


def seen_wholly(user: User) -> set[int]:
    """Give the numbers of the organizations of which the user sees all usage as a member: what a platform reader sees
    of others, their audit logs say, so a list of them has none of it."""
    memberships = Membership.objects.filter(user=user)
    return {each.organization_id for each in memberships if may(each, Permission.SEE_WHOLE)}


def _open_to(user: User) -> QuerySet[Organization]:
    organizations = Organization.objects.in_use()
    return organizations if user.reads_all else organizations.filter(members=user)


def check_staff(user: User) -> None:
    """Let only staff see across organizations; raises NoAccess."""
    if not user.is_staff:
        raise NoAccess("platform")
