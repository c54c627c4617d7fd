"""Prices that organizations set themselves."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.domain.units import BY_NAME
from aggregates.models.organization import Organization, User

MAX_PRICE = 100_000  # US dollars per million tokens: keeps the cost of any call within what the log takes
PRICE_PLACES = 6  # decimals: with these, a cost is exact to its twelfth
PRICES = ("input", "cached", "cache_write", "cache_write_1h", "output")
MAX_UNIT_PRICE = 1_000  # US dollars for one; of tokens and characters MAX_PRICE for a million


def most_of(kind: str) -> int:
    """The highest price, in US dollars, of a kind of tokens or a unit."""
    unit = BY_NAME.get(kind)
    return MAX_UNIT_PRICE if unit and unit.per == 1 else MAX_PRICE


def price_field(verbose_name: str, *, needed: bool = False) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(
        verbose_name,
        max_digits=12,
        decimal_places=PRICE_PLACES,
        null=not needed,
        blank=not needed,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_PRICE)],
    )


class PriceOverride(models.Model):
    """What an organization pays for models whose names match the pattern, in US dollars per million tokens.

    For calls of the local days `first` to `last`, both included; without one of them, from ever or for ever. A kind of
    token without a price of its own is priced as its whole; a 1-hour cache write as another cache write. It is for
    calls of its tier alone, '' being the plain one; `units` holds prices, as text, of what else is billed, by unit.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="price_overrides")
    pattern = models.CharField("model", max_length=MAX_TEXT_BYTES)
    tier = models.CharField(max_length=MAX_TEXT_BYTES, blank=True, default="", db_default="")
    first = models.DateField("from", null=True, blank=True)
    last = models.DateField("to", null=True, blank=True)
    input = price_field("input", needed=True)
    cached = price_field("cached")
    cache_write = price_field("cache write")
    cache_write_1h = price_field("cache write for 1 hour")
    output = price_field("output", needed=True)
    units = models.JSONField(default=dict, db_default=Value({}, models.JSONField()), blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(pattern=""), name="price_override_for_a_model"),
            models.CheckConstraint(
                condition=Q(first=None) | Q(last=None) | Q(last__gte=F("first")), name="price_override_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(
                    *(Q((price, None)) | Q((f"{price}__range", (0, MAX_PRICE))) for price in PRICES),
                ),
                name="price_override_prices_in_range",
            ),
            models.UniqueConstraint(
                fields=["organization", "pattern", "tier", "first"], name="price_override_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.pattern
