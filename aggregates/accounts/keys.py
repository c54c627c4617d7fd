"""The life of API keys: an admin makes, replaces and revokes them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from aggregates.domain import secret
from aggregates.domain.secret import Secret
from aggregates.models import ApiKey, Kind, Organization, User

OVERLAP = timedelta(days=1)  # how long a key that was replaced goes on working
USE_NOTED_EVERY = timedelta(minutes=1)


def create(
    organization: Organization,
    name: str,
    created_by: User | None,
    kind: Kind = Kind.RECORD,
    labels: Mapping[str, str] | None = None,
) -> tuple[ApiKey, Secret]:
    """Make a key and its secret, which nobody can learn later; `created_by` is None for a command.

    Calls that come with it have the `labels`, too.
    """
    made = secret.new()
    key = ApiKey.objects.create(
        organization=organization,
        name=name,
        kind=kind,
        prefix=made.prefix,
        secret_hash=secret.digest(made.text),
        created_by=created_by,
        labels=dict(labels or {}),
    )
    return key, made


def rotate(organization: Organization, number: int, by: User) -> tuple[ApiKey, Secret]:
    """Make a successor of the same name and labels; the old key works for OVERLAP more, so that clients can change.

    Raises ApiKey.DoesNotExist, also for a key that is revoked or replaced already.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(organization=organization, pk=number, revoked_at=None)
        ApiKey.objects.filter(pk=old.pk).update(revoked_at=Now() + OVERLAP)
        return create(organization, old.name, by, Kind(old.kind), old.labels)


def revoke(organization: Organization, number: int) -> ApiKey:
    """Refuse the key from now on; one that is revoked already stays so. Raises ApiKey.DoesNotExist."""
    key = ApiKey.objects.get(organization=organization, pk=number)
    ApiKey.objects.filter(Q(revoked_at=None) | Q(revoked_at__gt=Now()), pk=key.pk).update(revoked_at=Now())
    return key


def note_use(key: ApiKey, now: datetime) -> None:
    """Remember that the key was used, to the minute: a write per request would be one too many."""
    if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())


def keys_of(organization: Organization) -> QuerySet[ApiKey]:
    """List all keys: first those that work for good, then those that are or will be revoked, each latest first."""
    keys = ApiKey.objects.filter(organization=organization).select_related("created_by")
    return keys.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-pk")
