"""Discounts that organizations have on published prices."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.models.organization import Organization, User

PERCENT_PLACES = 2
LEAST, MOST = 0, 100


class Discount(models.Model):
    """By how many percent an organization pays less than a provider's published prices.

    For calls of the local days `first` to `last`, both included; without one of them, from ever or for ever. `provider`
    is called as the price table calls it. Of several that hold, the one that begins last does.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="discounts")
    provider = models.CharField(max_length=MAX_TEXT_BYTES)
    percent = models.DecimalField(
        max_digits=5, decimal_places=PERCENT_PLACES, validators=[MinValueValidator(LEAST), MaxValueValidator(MOST)]
    )
    first = models.DateField("from", null=True, blank=True)
    last = models.DateField("to", null=True, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(provider=""), name="discount_of_a_provider"),
            models.CheckConstraint(condition=Q(percent__gt=LEAST, percent__lte=MOST), name="discount_percent_in_range"),
            models.CheckConstraint(
                condition=Q(first=None) | Q(last=None) | Q(last__gte=F("first")), name="discount_ends_after_start"
            ),
            models.UniqueConstraint(
                fields=["organization", "provider", "first"], name="discount_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.provider
