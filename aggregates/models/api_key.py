"""API keys: what clients of an organization prove themselves with, and how often each came in."""

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from aggregates.models.limited import Limited
from aggregates.models.organization import Organization, User

HASH = "^[0-9a-f]{64}$"
WORKING = Q(revoked_at=None) | Q(revoked_at__gt=Now())  # one that was replaced goes on for a while


class Kind(models.TextChoices):
    RECORD = "record", "Record calls"
    READ = "read", "Read usage"
    MANAGE = "manage", "Manage the organization"


class ApiKey(Limited):
    """A key of one organization. Of its secret only a hash is kept; see aggregates.domain.secret.

    One that manages does what whoever made it, `created_by`, may do at that moment; see aggregates.accounts.access.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.RECORD)
    prefix = models.CharField(max_length=14)
    secret_hash = models.CharField(max_length=64, unique=True)
    labels = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text="Labels of every call that comes with the key: texts by name.",
    )
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())  # by the clock that revokes
    last_used_at = models.DateTimeField(null=True)
    # May lie ahead: a key that was replaced goes on working for a while.
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="api_key_named"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="api_key_kind_known"),
            models.CheckConstraint(condition=Q(limited_to={}) | Q(kind=Kind.READ), name="api_key_limited_to_read"),
            models.CheckConstraint(condition=Q(prefix__regex="^usage_[0-9a-f]{8}$"), name="api_key_prefix_short"),
            models.CheckConstraint(condition=Q(("secret_hash__regex", HASH)), name="api_key_secret_hashed"),
            models.CheckConstraint(
                condition=Q(revoked_at=None) | Q(revoked_at__gte=F("created_at")), name="api_key_made_first"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class RequestCount(models.Model):
    """How many requests came with a key within the latest minute that had any.

    In the database the table is unlogged: counting a request then waits for no disk, and a crash forgets the count.
    """

    api_key = models.OneToOneField(ApiKey, models.CASCADE, primary_key=True, related_name="+")
    minute = models.DateTimeField()
    requests = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.requests} at {self.minute}"
