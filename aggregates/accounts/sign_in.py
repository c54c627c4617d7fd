"""Who signs in with the identity provider of the settings: whose account that is, and which roles it brings.

What the provider says holds for addresses of SSO_DOMAINS that it has confirmed, and for nobody with rights over the
site: who runs the provider does not thereby run the site.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from aggregates.accounts import audit_events, email_addresses, members, open_sessions
from aggregates.accounts.access import HIGHEST_FIRST, NoAccess
from aggregates.db import audit
from aggregates.domain.texts import shown
from aggregates.models import Event, Membership, Organization, Role, User

logger = logging.getLogger(__name__)


class NotAdmitted(ValueError):
    """The provider knows who it is, and the site does not let them in; the message says why to people."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the provider says of somebody."""

    email: str
    is_confirmed: bool
    groups: frozenset[str]

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2].lower()


def read_identity(claims: Mapping[str, Any]) -> Identity:
    """Read what the provider says of somebody, whichever protocol it speaks; what is not as expected is absent."""
    email, groups = claims.get("email"), claims.get("groups")
    names = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    confirmed = settings.SSO_EMAILS_CONFIRMED or claims.get("email_verified") in (True, "true")
    return Identity(
        email.strip() if isinstance(email, str) else "",
        confirmed,
        frozenset(name for name in names if isinstance(name, str)),
    )


def must_use_provider(user: User) -> Organization | None:
    """Find an organization of the user's that lets members in through the provider only; None where there is none."""
    if not settings.SSO_ONLY or user.has_rights:
        return None
    return _provider_only().filter(members=user).first()


def provider_only_words(organization: Organization) -> str:
    """Say that it lets its members in through the provider only."""
    return f"{shown(organization.name)} lets its members in with {settings.SSO_NAME} only."


def began_with_provider(request: HttpRequest, user: User) -> bool:
    """Say whether the session of a request began with the provider."""
    return any(each.get("method") == "socialaccount" for each in get_authentication_records(request, user))


def is_provider_only(organization: Organization) -> bool:
    """Say whether the organization lets members in through the provider only."""
    return bool(settings.SSO_ONLY) and _provider_only().filter(pk=organization.pk).exists()


def check_identity(identity: Identity) -> None:
    """Raises NotAdmitted where the provider does not speak for this address."""
    name = settings.SSO_NAME
    if not identity.email:
        raise NotAdmitted(f"{name} did not say what your e-mail address is.")
    if not identity.is_confirmed:
        raise NotAdmitted(f"{name} did not confirm that {shown(identity.email)} is yours.")
    if identity.domain not in {domain for domain, _, _ in settings.SSO_DOMAINS}:
        raise NotAdmitted(f"Addresses of {shown(identity.domain)} do not sign in here with {name}.")


@transaction.atomic
def account_for(identity: Identity) -> User:
    """Find the account of an address, or make it; it is the provider's from now on. Raises NotAdmitted.

    Nobody confirmed the address of an account that there is: password, second factors and sessions may be another's.
    """
    user = User.objects.named(identity.email).select_for_update().first()
    if user is None:
        user = User.objects.create_user(identity.email)
        audit_events.write_account_added(user)
        return user
    check_user(user)
    user.set_unusable_password()
    user.save(update_fields=["password"])
    for factor in Authenticator.objects.filter(user=user):
        factor.delete()
    email_addresses.forget_change(user)
    open_sessions.end_others(user, None)
    audit.write_for(audit_events.logs_of(user), Event.PROVIDER_CONNECTED, about=user.pk, user=user)
    return user


def check_user(user: User) -> None:
    """Raises NotAdmitted for accounts that the provider is not to open."""
    if user.has_rights:
        raise NotAdmitted("Accounts with rights over the site log in with their password.")
    if not user.is_active:
        raise NotAdmitted("This account may no longer log in.")


def follow_roles(user: User, identity: Identity) -> None:
    """Give the user the places that domain and groups bring. Organizations that SSO_GROUPS names have the provider's
    roles, and nobody without one; others let the domain in and keep the role that somebody has there."""
    wanted = _roles_of(identity)
    ruled = {slug for _, slug, _ in settings.SSO_GROUPS}
    for slug in sorted(wanted.keys() | ruled):
        organization = _named(slug)
        if organization is None:
            continue
        member = Membership.objects.filter(organization=organization, user=user).first()
        role = wanted.get(slug)
        with audit.acting_for(user):
            if member is None and role:
                members.add(organization, user, role)
            elif member and slug in ruled:
                with suppress(NoAccess):  # gone meanwhile
                    members.follow(member, role)


def _roles_of(identity: Identity) -> dict[str, Role]:
    """Return the highest role of each organization, by its slug as the settings name it."""
    places: Iterable[tuple[str, str]] = (
        *((slug, role) for domain, slug, role in settings.SSO_DOMAINS if slug and domain == identity.domain),
        *((slug, role) for group, slug, role in settings.SSO_GROUPS if group in identity.groups),
    )
    found: dict[str, Role] = {}
    for slug, role in places:
        found[slug] = min(found.get(slug, Role(role)), Role(role), key=HIGHEST_FIRST.index)
    return found


def _provider_only() -> QuerySet[Organization]:
    only = Q(slug__in=settings.SSO_ONLY) | Q(former_slugs__slug__in=settings.SSO_ONLY)
    return Organization.objects.in_use().filter(only)


def _named(slug: str) -> Organization | None:
    try:
        return Organization.objects.in_use().named(slug)
    except Organization.DoesNotExist:
        logger.warning("SSO_DOMAINS or SSO_GROUPS names an organization that there is not: %s", slug)
        return None
