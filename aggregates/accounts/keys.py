"""The life of API keys: an admin makes, replaces and revokes them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from aggregates.accounts import audit_events
from aggregates.accounts.access import NoAccess, Permission, may
from aggregates.accounts.members import Limits, locked
from aggregates.accounts.revocation import revoke_keys
from aggregates.domain import secret
from aggregates.domain.secret import Secret
from aggregates.models import ApiKey, Kind, Membership, Organization, User
from aggregates.models.api_key import WORKING

OVERLAP = timedelta(days=1)  # how long a key that was replaced goes on working
USE_NOTED_EVERY = timedelta(minutes=1)
MOST = 500  # of an organization that work, or did a day ago: else, to make and revoke them in turn would have no end
OF_ANOTHER = (
    "This key does what whoever made it may, so only they rotate it: make one of your own, and revoke this one."
)


class CannotMake(ValueError):
    """There are too many keys, or the key acts as somebody else; the message says so to people."""


def create(
    organization: Organization,
    name: str,
    created_by: User | None,
    kind: Kind = Kind.RECORD,
    labels: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> tuple[ApiKey, Secret]:
    """Make a key and its secret, which nobody can learn later; `created_by` is None for a command.

    Calls that come with it have the `labels`, too; one that reads may be limited to a part of the usage. One that
    manages does what its maker may: raises NoAccess where that is not a member who may make keys. Raises CannotMake
    where there are too many.
    """
    with locked(organization):
        key, made = _make(organization, name, created_by, kind, labels or {}, limits or {})
        audit_events.write_key_created(key)
    return key, made


def rotate(organization: Organization, number: int, by: User) -> tuple[ApiKey, Secret]:
    """Make a successor of the same name and labels; the old key works for OVERLAP more, so that clients can change.

    One that manages does what its maker may, so nobody else rotates it: raises CannotMake, as where there are too many.
    Raises NoAccess where the maker may make no keys now, and ApiKey.DoesNotExist, also for a key that is revoked or
    replaced already.
    """
    with locked(organization):  # before the row: whoever ends a member's place takes both in this order
        old = ApiKey.objects.select_for_update().get(organization=organization, pk=number, revoked_at=None)
        if not may_rotate(old, by):
            raise CannotMake(OF_ANOTHER)
        key, made = _make(organization, old.name, by, Kind(old.kind), old.labels, old.limited_to)
        ApiKey.objects.filter(pk=old.pk).update(revoked_at=Now() + OVERLAP)
        old.refresh_from_db(fields=["revoked_at"])
        audit_events.write_key_rotated(key, old)
        return key, made


def may_rotate(key: ApiKey, by: User) -> bool:
    """Say whether a successor would have the rights of the key: one that manages has those of its maker."""
    return key.kind != Kind.MANAGE or key.created_by_id == by.pk


def works(key: ApiKey) -> bool:
    """Say whether requests with the key are answered still; one that was replaced is for a while."""
    return ApiKey.objects.filter(WORKING, pk=key.pk).exists()


def revoke(organization: Organization, number: int) -> ApiKey:
    """Refuse the key from now on; one that is revoked already stays so. Raises ApiKey.DoesNotExist."""
    key = ApiKey.objects.get(organization=organization, pk=number)
    revoke_keys(ApiKey.objects.filter(pk=key.pk))
    return key


def change(
    organization: Organization,
    number: int,
    *,
    labels: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> ApiKey:
    """Give a key other labels, limits, or both; None leaves them as they are. Raises ApiKey.DoesNotExist, also for
    a key that is revoked."""
    with transaction.atomic():
        working = ApiKey.objects.filter(WORKING, organization=organization)
        key = working.select_for_update().get(pk=number)
        was, before = (key.labels, key.limited_to), audit_events.facts_of(key)
        key.labels = key.labels if labels is None else dict(labels)
        key.limited_to = key.limited_to if limits is None else dict(limits)
        key.save(update_fields=["labels", "limited_to"])
        if was != (key.labels, key.limited_to):
            audit_events.write_key_changed(key, before)
    return key


def note_use(key: ApiKey, now: datetime) -> None:
    """Remember that the key was used, to the minute: a write per request would be one too many."""
    if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())


def _make(
    organization: Organization,
    name: str,
    created_by: User | None,
    kind: Kind,
    labels: Mapping[str, str],
    limits: Limits,
) -> tuple[ApiKey, Secret]:
    """Make a key; the lock of members is held, so that its maker stays who they are, and keys can be counted."""
    if kind == Kind.MANAGE:
        _check_maker(organization, created_by)
    recent = Q(revoked_at=None) | Q(revoked_at__gt=Now() - OVERLAP)
    if ApiKey.objects.filter(recent, organization=organization).count() >= MOST:
        raise CannotMake(
            f"There are {MOST} API keys that work, or did a day ago: revoke those that nobody uses, and try again a "
            "day later."
        )
    made = secret.new()
    key = ApiKey.objects.create(
        organization=organization,
        name=name,
        kind=kind,
        prefix=made.prefix,
        secret_hash=secret.digest(made.text),
        created_by=created_by,
        labels=dict(labels),
        limited_to=dict(limits),
    )
    return key, made


def _check_maker(organization: Organization, maker: User | None) -> None:
    place = Membership.objects.filter(organization=organization, user=maker, user__is_active=True).first()
    if place is None or not may(place, Permission.KEYS):
        raise NoAccess("key")


def keys_of(organization: Organization) -> QuerySet[ApiKey]:
    """List all keys, each with `works`: first those that work for good, then those that are or will be revoked, each
    latest first."""
    keys = ApiKey.objects.filter(organization=organization).select_related("created_by").annotate(works=WORKING)
    return keys.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-pk")
