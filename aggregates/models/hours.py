"""The sums of hours of recent days, packed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from aggregates.domain.dimensions import BY_NAME, HOUR_GRAINS
from aggregates.domain.measures import MEASURES
from aggregates.models.organization import Organization
from aggregates.models.packed import PackedTotals, are_even, texts

ARRAYS = (
    "hour",
    *dict.fromkeys(BY_NAME[name].column for grain in HOUR_GRAINS for name in grain.dimensions),
    *(measure.column for measure in MEASURES),
)


class HourChunk(PackedTotals):
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
    operation = texts()
    provider = texts()
    model = texts()
    user_id = texts()
    project = texts()
    service_tier = texts()
    key = texts()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=are_even(ARRAYS),
                name="hour_chunk_even",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} hours of {self.date} by {self.grain}, {self.part}"
