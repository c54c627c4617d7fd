"""The life of API keys: an admin makes, replaces and revokes them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from aggregates.accounts.access import NoAccess, Permission, may
from aggregates.accounts.members import Limits
from aggregates.db import audit
from aggregates.domain import secret
from aggregates.domain.secret import Secret
from aggregates.models import ApiKey, Event, Kind, Membership, Organization, User

OVERLAP = timedelta(days=1)  # how long a key that was replaced goes on working
USE_NOTED_EVERY = timedelta(minutes=1)


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
    manages does what its maker may: raises NoAccess where that is not a member who may make keys.
    """
    with transaction.atomic():
        key, made = _make(organization, name, created_by, kind, labels or {}, limits or {})
        audit.write(Event.KEY_CREATED, organization, about=key.pk, after=_told(key), user=created_by)
    return key, made


def rotate(organization: Organization, number: int, by: User) -> tuple[ApiKey, Secret]:
    """Make a successor of the same name and labels; the old key works for OVERLAP more, so that clients can change.

    One that manages does from then on what `by` may. Raises ApiKey.DoesNotExist, also for a key that is revoked or
    replaced already.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(organization=organization, pk=number, revoked_at=None)
        ApiKey.objects.filter(pk=old.pk).update(revoked_at=Now() + OVERLAP)
        key, made = _make(organization, old.name, by, Kind(old.kind), old.labels, old.limited_to)
        old.refresh_from_db(fields=["revoked_at"])
        was = {"key": old.prefix, "works_until": old.revoked_at}
        audit.write(Event.KEY_ROTATED, organization, about=key.pk, before=was, after={"key": key.prefix}, user=by)
        return key, made


def revoke(organization: Organization, number: int) -> ApiKey:
    """Refuse the key from now on; one that is revoked already stays so. Raises ApiKey.DoesNotExist."""
    key = ApiKey.objects.get(organization=organization, pk=number)
    working = ApiKey.objects.filter(Q(revoked_at=None) | Q(revoked_at__gt=Now()), pk=key.pk)
    with transaction.atomic():
        if working.update(revoked_at=Now()):
            audit.write(Event.KEY_REVOKED, organization, about=key.pk, before=_told(key))
    return key


def change_labels(key: ApiKey, before: Mapping[str, str]) -> None:
    """Write the labels alone: meanwhile the key may have been used, or revoked. `before` are those that it had."""
    with transaction.atomic():
        key.save(update_fields=["labels"])
        was, became = {"labels": sorted(before)}, {"key": key.prefix, "labels": sorted(key.labels)}
        audit.write(Event.KEY_CHANGED, key.organization, about=key.pk, before=was, after=became)


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
        working = ApiKey.objects.filter(Q(revoked_at=None) | Q(revoked_at__gt=Now()), organization=organization)
        key = working.select_for_update().get(pk=number)
        was, before = (key.labels, key.limited_to), _told(key)
        del before["key"]  # after it, it is told
        key.labels = key.labels if labels is None else dict(labels)
        key.limited_to = key.limited_to if limits is None else dict(limits)
        key.save(update_fields=["labels", "limited_to"])
        if was != (key.labels, key.limited_to):
            audit.write(Event.KEY_CHANGED, organization, about=key.pk, before=before, after=_told(key))
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
    if kind == Kind.MANAGE:
        _check_maker(organization, created_by)
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


def _told(key: ApiKey) -> dict[str, object]:
    """What the audit log tells of a key: its name and texts of labels may be of people, so they are looked up."""
    part = {"part": key.scope.counted} if key.scope else {}
    return {"key": key.prefix, "kind": key.kind, "labels": sorted(key.labels), **part}


def keys_of(organization: Organization) -> QuerySet[ApiKey]:
    """List all keys: first those that work for good, then those that are or will be revoked, each latest first."""
    keys = ApiKey.objects.filter(organization=organization).select_related("created_by")
    return keys.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-pk")
