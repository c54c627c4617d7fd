"""The sums of hours of recent days, packed."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.lookups import Exact, GreaterThan

from aggregates.domain.dimensions import BY_NAME, HOUR_GRAINS
from aggregates.domain.measures import MEASURES
from aggregates.models.organization import Organization

ARRAYS = (
    "hour",
    *dict.fromkeys(BY_NAME[name].column for grain in HOUR_GRAINS for name in grain.dimensions),
    *(measure.column for measure in MEASURES),
)


def _texts() -> "ArrayField[Any, Any]":
    return ArrayField(models.TextField(), null=True)


def _counts() -> "ArrayField[Any, Any]":
    return ArrayField(models.BigIntegerField(), null=True)


def _decimals(max_digits: int, decimal_places: int) -> "ArrayField[Any, Any]":
    return ArrayField(models.DecimalField(max_digits=max_digits, decimal_places=decimal_places), null=True)


def _cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


class HourChunk(models.Model):
    """Some groups of the hours of an organization's day at one grain, side by side, as in a BreakdownChunk; `hour` is
    the number of each one's hour within the day, from 0: of the 60 minutes that begin so many hours after the day.

    They count while `UsageDay.hours_at` says so, for as much of the day as is rolled up. `grain` is the name of one of
    domain.dimensions.HOUR_GRAINS.
    """

    pk = models.CompositePrimaryKey("organization", "date", "grain", "part")
    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField(db_index=True)
    part = models.IntegerField()
    grain = models.TextField()
    hour = ArrayField(models.SmallIntegerField())
    operation = _texts()
    provider = _texts()
    model = _texts()
    user_id = _texts()
    project = _texts()
    service_tier = _texts()
    key = _texts()
    total_calls = ArrayField(models.BigIntegerField())
    total_errors = _counts()
    total_unpriced_calls = _counts()
    total_cost = _decimals(max_digits=36, decimal_places=12)
    total_input_tokens = _counts()
    total_cached_tokens = _counts()
    total_cache_write_tokens = _counts()
    total_output_tokens = _counts()
    total_reasoning_tokens = _counts()
    total_cache_hit_rate = _decimals(max_digits=28, decimal_places=8)
    total_charges = _counts()
    total_charge_cost = _decimals(max_digits=36, decimal_places=12)

    class Meta:
        constraints = [
            models.CheckConstraint(
                # Arrays that are NULL pass: a CHECK lets pass all that is not false.
                condition=models.Q(
                    GreaterThan(_cardinality("total_calls"), 0),
                    *(
                        Exact(_cardinality(name), _cardinality("total_calls"))
                        for name in ARRAYS
                        if name != "total_calls"
                    ),
                ),
                name="hour_chunk_even",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} hours of {self.date} by {self.grain}, {self.part}"
