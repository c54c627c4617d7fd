"""What the audit log tells of accounts, members and an organization's settings."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from aggregates.db import audit
from aggregates.domain.scopes import Scope
from aggregates.models import ApiKey, AuditEntry, Event, Invitation, Membership, Organization, User

SETTINGS = ("slug", "name", "first_weekday", "first_month", "label_attributes")  # a zone changes by another event
RIGHTS = ("is_active", "is_staff", "is_superuser", "reads_all")
VISIT = timedelta(hours=1)  # in which a platform reader's visits to an organization are one
SECRET = ("email", "password")  # of these it is told that they changed


def logs_of(user: User | None) -> list[Organization | None]:
    """Say whose logs tell of an account: its organizations', or the platform's."""
    organizations = Organization.objects.in_use().filter(members=user) if user else ()
    return [*organizations] or [None]


def settings_of(organization: Organization, names: Collection[str] = SETTINGS) -> dict[str, Any]:
    """Read those of its settings that are among these names."""
    return {name: getattr(organization, name) for name in SETTINGS if name in names}


def write_organization_added(organization: Organization) -> None:
    made = {"time_zone": organization.time_zone, **settings_of(organization)}
    audit.write(Event.ORGANIZATION_ADDED, organization, after=made)


def write_settings(organization: Organization, before: Mapping[str, Any]) -> None:
    """Write which of these settings are no longer as they were before; nothing if that is none. What else there is may
    be older in the caller's organization than what others have committed."""
    after = settings_of(organization, before)
    if after != before:
        audit.write(Event.ORGANIZATION_CHANGED, organization, before=before, after=after)


def write_member_added(membership: Membership) -> None:
    told = _place(membership)
    audit.write(Event.MEMBER_ADDED, membership.organization, about=membership.user_id, after=told)


def write_role(membership: Membership, before: str) -> None:
    was, became = {"role": before}, {"role": membership.role}
    audit.write(Event.MEMBER_CHANGED, membership.organization, about=membership.user_id, before=was, after=became)


def write_part(membership: Membership, before: Scope) -> None:
    """Write that a member sees another part of the usage: how many values of which dimensions, as they are recorded
    texts."""
    was, became = {"part": before.counted}, {"part": membership.scope.counted}
    audit.write(Event.MEMBER_CHANGED, membership.organization, about=membership.user_id, before=was, after=became)


def write_member_removed(membership: Membership) -> None:
    told = _place(membership)
    audit.write(Event.MEMBER_REMOVED, membership.organization, about=membership.user_id, before=told)


def write_invited(invitation: Invitation) -> None:
    """Write as what somebody was invited, and until when; not whom, who may never come."""
    told = {**_place(invitation), "expires_at": invitation.expires_at}
    audit.write(Event.MEMBER_INVITED, invitation.organization, about=invitation.pk, after=told)


def write_invitation_revoked(invitation: Invitation) -> None:
    audit.write(Event.INVITATION_REVOKED, invitation.organization, about=invitation.pk, before=_place(invitation))


def write_renewed(invitation: Invitation, until: datetime, by: User | None) -> None:
    """Write that an invitation has another link, good until then; `by` is who wanted it where that is not who is
    logged in."""
    was, became = {"expires_at": invitation.expires_at}, {"expires_at": until}
    audit.write(
        Event.INVITATION_RENEWED, invitation.organization, about=invitation.pk, before=was, after=became, user=by
    )


def write_key_created(key: ApiKey) -> None:
    audit.write(Event.KEY_CREATED, key.organization, about=key.pk, after=facts_of(key), user=key.created_by)


def write_key_rotated(key: ApiKey, old: ApiKey) -> None:
    was, became = {"key": old.prefix, "works_until": old.revoked_at}, {"key": key.prefix}
    audit.write(Event.KEY_ROTATED, key.organization, about=key.pk, before=was, after=became, user=key.created_by)


def write_key_changed(key: ApiKey, before: Mapping[str, object]) -> None:
    """Write which of a key's facts changed; after them, its prefix."""
    was = {name: value for name, value in before.items() if name != "key"}
    audit.write(Event.KEY_CHANGED, key.organization, about=key.pk, before=was, after=facts_of(key))


def write_key_revoked(key: ApiKey) -> None:
    audit.write(Event.KEY_REVOKED, key.organization, about=key.pk, before=facts_of(key))


def facts_of(key: ApiKey) -> dict[str, object]:
    """Say of a key what the audit log may tell: its name and texts of labels may be of people, so they are looked
    up."""
    part = {"part": key.scope.counted} if key.scope else {}
    return {"key": key.prefix, "kind": key.kind, "labels": sorted(key.labels), **part}


def write_visit(user: User, organization: Organization) -> None:
    """Write that a platform reader reads the organization, unless that was written within the hour."""
    latest = AuditEntry.objects.filter(organization=organization, at__gt=Now() - VISIT)
    if not latest.filter(event=Event.READ_BY_PLATFORM, user_id=user.pk).exists():
        audit.write(Event.READ_BY_PLATFORM, organization, user=user)


def _place(membership: Membership | Invitation) -> dict[str, Any]:
    part = {"part": membership.scope.counted} if membership.scope else {}
    return {"role": membership.role, **part}


def write_account_added(user: User) -> None:
    audit.write(Event.ACCOUNT_ADDED, about=user.pk, after=_rights(user))


def write_account_changed(user: User, before: Mapping[str, Any], changed: Collection[str]) -> None:
    """Write which of its rights changed, from what they were before; and of what else that it did."""
    after: dict[str, object] = {name: value for name, value in _rights(user).items() if name in changed}
    after |= {name: "changed" for name in SECRET if name in changed}
    after |= {"rights": "changed"} if {"groups", "user_permissions"}.intersection(changed) else {}
    if after:
        was = {name: before[name] for name in RIGHTS if name in after}
        audit.write(Event.ACCOUNT_CHANGED, about=user.pk, before=was, after=after)


def write_address_changed(user: User) -> None:
    """Write that the owner gave the account another address; neither of the two."""
    audit.write_for(logs_of(user), Event.EMAIL_CHANGED, about=user.pk, user=user)


def write_account_removed(user: User) -> None:
    """Write that it goes, and with it the user's places; before it does."""
    for membership in Membership.objects.filter(user=user).select_related("organization"):
        write_member_removed(membership)
    audit.write(Event.ACCOUNT_REMOVED, about=user.pk, before=_rights(user))


def _rights(user: User) -> dict[str, bool]:
    return {name: getattr(user, name) for name in RIGHTS}
