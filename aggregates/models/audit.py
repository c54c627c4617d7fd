"""The audit log: who changed, took along or entered what."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from aggregates.models.organization import Organization


class Event(models.TextChoices):
    """What happened: the area before the dot, and what is said of it."""

    LOGGED_IN = "account.log_in", "Logged in"
    LOG_IN_FAILED = "account.log_in_failed", "Log-in failed"
    PASSWORD_CHANGED = "account.password", "Password changed"  # noqa: S105 (a name)
    EMAIL_CHANGED = "account.email", "E-mail address changed"
    PASSWORD_LINK = "account.password_link", "Link for a new password made"  # noqa: S105 (a name)
    FACTOR_ADDED = "account.factor_added", "Second factor added"
    FACTOR_CHANGED = "account.factor_changed", "Second factor changed"
    FACTOR_REMOVED = "account.factor_removed", "Second factor removed"
    FACTOR_FAILED = "account.factor_failed", "Second factor failed"
    SESSIONS_ENDED = "account.sessions", "Sessions ended"
    PROVIDER_CONNECTED = "account.provider", "Connected to the sign-in provider"
    ACCOUNT_ADDED = "account.added", "Account added"
    ACCOUNT_CHANGED = "account.changed", "Account changed"
    ACCOUNT_REMOVED = "account.removed", "Account removed"
    MEMBER_ADDED = "member.added", "Member added"
    MEMBER_CHANGED = "member.changed", "Member changed"
    MEMBER_REMOVED = "member.removed", "Member removed"
    MEMBER_INVITED = "member.invited", "Invitation made"
    INVITATION_REVOKED = "member.invitation_revoked", "Invitation revoked"
    INVITATION_RENEWED = "member.invitation_renewed", "Invitation renewed"
    KEY_CREATED = "key.created", "Key created"
    KEY_CHANGED = "key.changed", "Key changed"
    KEY_ROTATED = "key.rotated", "Key rotated"
    KEY_REVOKED = "key.revoked", "Key revoked"
    PRICE_SET = "price.set", "Price set"
    PRICE_REMOVED = "price.removed", "Price removed"
    DISCOUNT_SET = "price.discount", "Discount set"
    DISCOUNT_REMOVED = "price.discount_removed", "Discount removed"
    CORRECTED = "cost.corrected", "Calls corrected"
    REPRICED = "cost.repriced", "Calls repriced"
    NORMALIZED = "cost.normalized", "Calls normalized"
    ORGANIZATION_ADDED = "organization.added", "Organization added"
    ORGANIZATION_CHANGED = "organization.changed", "Settings changed"
    ZONE_CHANGED = "organization.zone", "Time zone changed"
    VIEW_SAVED = "organization.view_saved", "View of the organization saved"
    VIEW_CHANGED = "organization.view_changed", "View of the organization changed"
    VIEW_DELETED = "organization.view_deleted", "View of the organization deleted"
    REMOVAL_ASKED = "organization.removal", "Removal asked for"
    ORGANIZATION_REMOVED = "organization.removed", "Organization removed"
    IMPORTED = "data.imported", "File imported"
    EXPORTED = "data.exported", "File exported"
    READ_BY_PLATFORM = "data.read", "Read by a platform reader"
    SAMPLE_ADDED = "data.sample_added", "Sample data added"
    SAMPLE_REMOVED = "data.sample_removed", "Sample data removed"
    NAME_REPLACED = "data.name_replaced", "Name replaced by a pseudonym"

    @property
    def area(self) -> str:
        return self.value.partition(".")[0]


class Via(models.TextChoices):
    """Which way it was done."""

    PAGE = "page", "a page"
    ADMIN = "admin", "the site administration"
    API = "api", "the API"
    TASK = "task", "the task cluster"
    SERVER = "server", "a command on the server"


# What `before` and `after` may tell, and how people read it: no secrets, no recorded texts, and people by id.
FIELDS = {
    "slug": "slug",
    "name": "name",
    "time_zone": "time zone",
    "first_weekday": "first weekday",
    "first_month": "first month",
    "label_attributes": "attributes kept as labels",
    "role": "role",
    "part": "part",
    "expires_at": "expires",
    "email": "e-mail address",
    "is_active": "active",
    "is_staff": "staff",
    "is_superuser": "superuser",
    "reads_all": "reads every organization",
    "rights": "rights",
    "password": "password",
    "key": "key",
    "kind": "kind",
    "alone": "logs in alone",
    "labels": "labels",
    "works_until": "works until",
    "what": "what",
    "model": "model",
    "provider": "provider",
    "percent": "percent",
    "tier": "tier",
    "from": "from",
    "to": "to",
    "input": "input",
    "cached": "cached",
    "cache_write": "cache write",
    "cache_write_1h": "cache write for 1 hour",
    "output": "output",
    "units": "units",
    "filters": "filters",
    "sources": "costs replaced",
    "calls": "calls",
    "charges": "charges",
    "rows": "rows",
    "new": "new",
    "pseudonym": "pseudonym",
    "organization": "organization",
    "is_default": "opens by default",
}


class AuditEntry(models.Model):
    """One event; see aggregates.db.audit, which writes it, and nothing changes it afterwards.

    The database refuses each UPDATE, and a DELETE before `keep_until` unless its organization goes. People stand in it
    by id, without a constraint: whoever they are is looked up, and an account may go. So do keys and files, by
    `object_id`. What was done with a key has its `key_id`, and the `user_id` of whoever made the key. `organization` is
    None for what concerns the platform.
    """

    # The database deletes them with their organization, whoever deletes that: Django would delete them before it.
    organization = models.ForeignKey(
        Organization, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField(db_default=Now())
    keep_until = models.DateTimeField()
    event = models.CharField(max_length=40)
    via = models.CharField(max_length=16)
    user_id = models.BigIntegerField(null=True)
    key_id = models.BigIntegerField(null=True)
    address = models.GenericIPAddressField(null=True)
    object_id = models.BigIntegerField(null=True)
    before: "models.JSONField[Any, Any]" = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), encoder=DjangoJSONEncoder
    )
    after: "models.JSONField[Any, Any]" = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), encoder=DjangoJSONEncoder
    )
    effect: "models.JSONField[Any, Any]" = models.JSONField(
        "effect on cost", default=dict, db_default=Value({}, models.JSONField()), encoder=DjangoJSONEncoder
    )  # US dollars as text, by the month, YYYY-MM
    first = models.DateField(null=True)  # of the days that it is about, for charts
    last = models.DateField(null=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organization", "-at", "-id"], name="audit_entry_of_organization"),
            models.Index(
                fields=["organization", "first"], condition=Q(first__isnull=False), name="audit_entry_of_days"
            ),
            models.Index(fields=["keep_until"], name="audit_entry_until"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(event=""), name="audit_entry_of_an_event"),
            models.CheckConstraint(condition=~Q(via=""), name="audit_entry_done_some_way"),
            models.CheckConstraint(condition=Q(keep_until__gt=F("at")), name="audit_entry_is_kept"),
            models.CheckConstraint(
                condition=Q(first=None, last=None) | Q(last__gte=F("first")), name="audit_entry_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} at {self.at}"
