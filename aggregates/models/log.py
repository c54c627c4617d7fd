"""The usage log: one row a call, or a charge."""

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Cast, Now
from django.db.models.lookups import Exact, LessThanOrEqual

from aggregates.domain.calls import CALL, CHARGE, MAX_COST, MAX_COUNT, MAX_TEXT_BYTES
from aggregates.models.organization import Organization

TEXTS = ("request_id", "operation", "provider", "model", "user_id", "subject_id", "project")
TOKENS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
COUNTS = (*TOKENS, "latency_ms")
MAX_UNITS, MAX_LABELS = 2_000, 40_000  # bytes of each as JSON text

SPAN = "^[0-9a-f]{32}-[0-9a-f]{16}$"  # trace and span


def octets(column: str) -> models.Func:
    return models.Func(F(column), function="octet_length", output_field=models.IntegerField())


class RowKind(models.TextChoices):
    CALL = CALL, "Call"
    CHARGE = CHARGE, "Charge"


def json_octets(column: str) -> models.Func:
    return models.Func(Cast(F(column), models.TextField()), function="octet_length", output_field=models.IntegerField())


def json_type(column: str) -> models.Func:
    return models.Func(F(column), function="jsonb_typeof", output_field=models.TextField())


class Status(models.TextChoices):
    OK = "ok", "OK"
    ERROR = "error", "Error"


class CostSource(models.TextChoices):
    REPORTED = "reported", "Reported by the sender"
    TABLE = "table", "Price table"
    OVERRIDE = "override", "Own price of the organization"
    DISCOUNT = "discount", "Price table, less the organization’s discount"
    PRICED = "priced", "Given by a correction"
    NONE = "none", "No price known"


class UsageLog(models.Model):
    """One call to a model; or a charge, which adds a cost and counts as no call.

    Written by aggregates.ingest alone, which keeps the marks of its days.
    In the database the table is partitioned by month of `timestamp` (migration 0002); uniqueness of
    (organization, request_id) holds within a month's partition. Unknown text is '', an unknown cost NULL.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, db_index=False, related_name="+")
    timestamp = models.DateTimeField(help_text="When the call was made.")
    request_id = models.TextField(help_text="Given by the sender, or made; unique in an organization and month.")
    operation = models.TextField(blank=True, help_text="What the application was doing.")
    provider = models.TextField(blank=True)
    model = models.TextField()
    user_id = models.TextField(blank=True, help_text="Who made the call.")
    subject_id = models.TextField(blank=True, help_text="Whom or what the call was about.")
    project = models.TextField(blank=True)
    status = models.TextField(choices=Status)
    input_tokens = models.BigIntegerField(help_text="Cached and cache-write tokens included.")
    cached_tokens = models.BigIntegerField(help_text="Input tokens read from a cache.")
    cache_write_tokens = models.BigIntegerField(help_text="Input tokens written to a cache.")
    cache_write_1h_tokens = models.BigIntegerField(
        db_default=0, help_text="Those of the cache-write tokens that are kept for an hour, which cost more."
    )
    output_tokens = models.BigIntegerField(help_text="Reasoning tokens included.")
    reasoning_tokens = models.BigIntegerField()
    latency_ms = models.BigIntegerField(null=True, blank=True)
    cost = models.DecimalField("cost (USD)", max_digits=24, decimal_places=12, null=True, blank=True)
    cost_source = models.TextField(choices=CostSource)
    cache_hit_rate = models.DecimalField(
        max_digits=9, decimal_places=8, help_text="cached / input tokens, 8 decimals, half-even; 0 without input."
    )
    provisional = models.BooleanField(
        db_default=False,
        help_text="Reported by an instrumentation around the vendor's own: that one's report replaces it.",
    )
    service_tier = models.TextField(
        blank=True,
        db_default="",
        help_text="Where it is not the plain one: a service tier, a speed, a region of inference.",
    )
    kind = models.TextField(
        choices=RowKind,
        db_default=CALL,
        help_text="A charge (a credit, a refund, a seat, a fee) is no call: it adds its cost, which may be negative.",
    )
    units = models.JSONField(null=True, blank=True, help_text="What has a price of its own: quantities by unit.")
    labels = models.JSONField(null=True, blank=True, help_text="Texts by name, as the sender chose them.")
    price_model = models.TextField(
        blank=True, db_default="", help_text="Whose price it has, where the model is an alias or a deployment."
    )
    key = models.TextField(blank=True, db_default="", help_text="The prefix of the API key that it came with.")
    parent_span = models.TextField(blank=True, db_default="", help_text="The span around the one that reported it.")
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "call"
        constraints = [
            models.CheckConstraint(
                condition=Q(*(LessThanOrEqual(octets(column), MAX_TEXT_BYTES) for column in TEXTS)),
                name="usage_log_texts_short",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(octets("service_tier"), MAX_TEXT_BYTES)), name="usage_log_rate_short"
            ),
            models.CheckConstraint(
                # What is NULL passes: a CHECK lets pass all that is not false.
                condition=Q(
                    LessThanOrEqual(octets("key"), MAX_TEXT_BYTES),
                    LessThanOrEqual(octets("price_model"), MAX_TEXT_BYTES),
                    LessThanOrEqual(json_octets("units"), MAX_UNITS),
                    LessThanOrEqual(json_octets("labels"), MAX_LABELS),
                    Exact(json_type("units"), Value("object")),
                    Exact(json_type("labels"), Value("object")),
                ),
                name="usage_log_details_fit",
            ),
            models.CheckConstraint(
                condition=~Q(request_id="") & (~Q(model="") | Q(kind=RowKind.CHARGE)), name="usage_log_texts_given"
            ),
            models.CheckConstraint(
                condition=Q(*((f"{column}__range", (0, MAX_COUNT)) for column in COUNTS)),
                name="usage_log_counts_in_range",
            ),
            models.CheckConstraint(
                condition=Q(cached_tokens__lte=F("input_tokens") - F("cache_write_tokens")),
                name="usage_log_cached_within_input",
            ),
            models.CheckConstraint(
                condition=Q(cache_write_1h_tokens__gte=0, cache_write_1h_tokens__lte=F("cache_write_tokens")),
                name="usage_log_1h_within_cache_write",
            ),
            models.CheckConstraint(
                condition=Q(reasoning_tokens__lte=F("output_tokens")), name="usage_log_reasoning_within_output"
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="usage_log_status_known"),
            models.CheckConstraint(
                condition=Q(cost=None, cost_source=CostSource.NONE)
                # A comparison with NULL is not false, and a CHECK lets pass all that is not.
                | Q(
                    cost__isnull=False,
                    cost__gt=-MAX_COST,
                    cost__lt=MAX_COST,
                    cost_source__in=[source for source in CostSource.values if source != CostSource.NONE],
                ),
                name="usage_log_cost_with_source",
            ),
            models.CheckConstraint(
                condition=Q(kind=RowKind.CALL) & (Q(cost=None) | Q(cost__gte=0))
                | Q(
                    **dict.fromkeys((*TOKENS, "cache_hit_rate"), 0),
                    kind=RowKind.CHARGE,
                    cost__isnull=False,
                    cost_source=CostSource.REPORTED,
                    latency_ms=None,
                    status=Status.OK,
                ),
                name="usage_log_charge_is_cost",
            ),
            models.CheckConstraint(condition=Q(cache_hit_rate__range=(0, 1)), name="usage_log_cache_hit_rate_share"),
            models.CheckConstraint(
                condition=Q(parent_span="") | Q(parent_span__regex=SPAN), name="usage_log_span_named"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "timestamp"], name="usage_log_by_time"),
            models.Index(
                fields=["organization", "parent_span"], condition=~Q(parent_span=""), name="usage_log_by_parent_span"
            ),
            models.Index(fields=["id"], name="usage_log_by_id"),
            models.Index(
                fields=["organization", "timestamp"], condition=Q(units__isnull=False), name="usage_log_by_units"
            ),
        ]

    def __str__(self) -> str:
        return self.request_id


class LogGuard(models.Model):
    """A view without rows: whoever locks it locks the log, and on the coordinator alone where there is a cluster."""

    id = models.BigIntegerField(primary_key=True)

    class Meta:
        managed = False
        db_table = "aggregates_logguard"

    def __str__(self) -> str:
        return str(self.id)


class LogHole(models.Model):
    """A time of which the log does not hold the calls of before `born_at`: a view of PostgreSQL's catalogue.

    A partition has a birth, which its comment tells. One that was made after its month began is a hole up to then;
    where there is no partition, there is a hole for ever. A part of a day that was rolled up before `born_at` is lost.
    """

    since = models.DateTimeField(primary_key=True)
    until = models.DateTimeField()
    born_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "aggregates_loghole"

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"
