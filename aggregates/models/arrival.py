"""What arrived, counted: how much each key and each imported file sent in an hour, and what became of it."""

from django.db import models
from django.db.models import Q

from aggregates.models.api_key import ApiKey
from aggregates.models.organization import Organization

MAX_REASON = 200  # characters
MAX_FILE = 100  # characters
OTHERS = "other reasons"  # stands for those beyond the most that are kept apart


class ArrivalOutcome(models.TextChoices):
    REQUEST = "request", "Requests or files that were taken"
    REFUSED = "refused", "Requests or files that were refused whole"
    ACCEPTED = "accepted", "Calls that were new"
    DUPLICATE = "duplicate", "Calls that were there already"
    CONFLICT = "conflict", "Calls that were there already, with other values"
    REJECTED = "rejected", "Calls that were rejected"
    ADJUSTED = "adjusted", "Fields that were shortened or left out"
    NOT_UNDERSTOOD = "not_understood", "Spans that look like calls and were not understood"
    SAME_CALL = "same_call", "Calls that were taken for the same as another's"
    DOUBT = "doubt", "Pairs of calls that may be one, and are counted as two"
    NO_CALL = "no_call", "What is no call"


class ArrivalCount(models.Model):
    """How often something became of what a source sent within an hour. Written by aggregates.ingest.arrivals alone.

    A source is an API key or, without one, a file. A reason holds names of fields, scopes and spans; nothing of what
    prompts or answers say.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.CASCADE, null=True, related_name="+")
    file = models.CharField(max_length=MAX_FILE, blank=True, db_default="")
    hour = models.DateTimeField(db_index=True)
    outcome = models.CharField(max_length=16, choices=ArrivalOutcome)
    reason = models.CharField(max_length=MAX_REASON, blank=True, db_default="")
    count = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "hour", "api_key", "file", "outcome", "reason"],
                nulls_distinct=False,
                name="arrival_count_once",
            ),
            models.CheckConstraint(
                condition=Q(api_key=None) ^ Q(file=""),
                name="arrival_count_of_key_or_file",
            ),
            models.CheckConstraint(condition=Q(outcome__in=ArrivalOutcome.values), name="arrival_count_outcome_known"),
            models.CheckConstraint(condition=Q(count__gt=0), name="arrival_count_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.outcome} at {self.hour}"
