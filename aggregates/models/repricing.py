"""Past calls that are priced anew, as asked for on a page, and what they cost before."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.models.organization import Organization


class RepricingState(models.TextChoices):
    """How far a repricing, or the undoing of one, has come."""

    QUEUED = "queued", "Waits for its turn"
    RUNNING = "running", "Under way"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


UNDER_WAY = (RepricingState.QUEUED, RepricingState.RUNNING)
NUMBERS = ("attempts", "expected", "rows", "calls", "unpriced_before", "unpriced_after", "restored")


def _cost() -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=36, decimal_places=12, default=0, db_default=0)


def _number() -> "models.BigIntegerField[Any, Any]":
    return models.BigIntegerField(default=0, db_default=0)


class Repricing(models.Model):
    """Calls of models that match a pattern, of local days `first` to `last`, that are priced anew; once `is_undo`, what
    they cost before is being put back.

    `expected` is how many calls were expected to be looked at, `rows` how many were; `calls` is how many got another
    cost, `before` and `after` what these cost in US dollars; `restored` is how many got their former cost back.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    pattern = models.CharField("model", max_length=MAX_TEXT_BYTES)
    first = models.DateField(null=True)
    last = models.DateField(null=True)
    state = models.CharField(max_length=16, choices=RepricingState, default=RepricingState.QUEUED)
    is_undo = models.BooleanField(default=False, db_default=False)
    queued_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    attempts = _number()
    expected = _number()
    rows = _number()
    calls = _number()
    unpriced_before = _number()
    unpriced_after = _number()
    restored = _number()
    before = _cost()
    after = _cost()
    problem = models.TextField(blank=True, default="", db_default="")

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RepricingState.values), name="repricing_state_known"),
            models.CheckConstraint(condition=~Q(pattern=""), name="repricing_of_a_model"),
            models.CheckConstraint(
                condition=Q(first=None) | Q(last=None) | Q(last__gte=F("first")), name="repricing_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(**{f"{name}__gte": 0 for name in NUMBERS}), name="repricing_numbers_positive"
            ),
            models.UniqueConstraint(
                fields=["organization"], condition=Q(state__in=UNDER_WAY), name="repricing_one_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["organization", "-created_at"], name="repricing_by_time")]

    def __str__(self) -> str:
        return self.pattern

    @property
    def is_active(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def is_done(self) -> bool:
        return self.state == RepricingState.DONE

    @property
    def may_be_undone(self) -> bool:
        """Say whether the former costs are there to be put back."""
        return self.is_done and not self.is_undo and self.former_costs.exists()


class FormerCost(models.Model):
    """What a call cost before a repricing, and what that made of it: only a call that still has this is put back."""

    pk = models.CompositePrimaryKey("organization", "repricing", "call")
    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    repricing = models.ForeignKey(Repricing, models.CASCADE, related_name="former_costs")
    call = models.BigIntegerField(help_text="Its number in the log.")
    timestamp = models.DateTimeField()
    cost = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    cost_source = models.TextField()
    new_cost = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    new_source = models.TextField()

    def __str__(self) -> str:
        return f"{self.repricing_id}/{self.call}"
