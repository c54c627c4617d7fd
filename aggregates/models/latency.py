"""Histograms of latencies by day and month, packed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.lookups import Exact, GreaterThan

from aggregates.models.organization import Organization
from aggregates.models.packed import cardinality, texts

TEXTS = ("operation", "provider", "model", "project", "service_tier", "key")


class LatencyChunk(models.Model):
    """Terms of the histograms of an organization's day or month at one grain, side by side: an array of their numbers,
    one of what each comes to, and one of the place that each one's group has in the arrays of dimensions.

    NULL stands for an array of '' alone, for a dimension that is not of the grain, and for places that are all 1.
    `grain` is the name of one of domain.dimensions.LATENCY_GRAINS; domain.latency says what terms are.
    """

    pk = models.CompositePrimaryKey("organization", "first", "unit", "grain", "part")
    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    first = models.DateField()
    part = models.IntegerField()
    grain = models.TextField()
    unit = models.TextField(choices=[("day", "day"), ("month", "month")])
    operation = texts()
    provider = texts()
    model = texts()
    project = texts()
    service_tier = texts()
    key = texts()
    groups = models.SmallIntegerField()
    place = ArrayField(models.SmallIntegerField(), null=True)
    term = ArrayField(models.SmallIntegerField())
    amount = ArrayField(models.BigIntegerField())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    GreaterThan(cardinality("amount"), 0),
                    *(Exact(cardinality(name), cardinality("amount")) for name in ("place", "term")),
                    *(Exact(cardinality(name), models.F("groups")) for name in TEXTS),
                ),
                name="latency_chunk_even",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.unit} of {self.first} by {self.grain}, {self.part}"
