"""Daily aggregates, and the state of each day: sealed, rolled, stale."""

from django.db import models

from aggregates.models.organization import Organization


class Totals(models.Model):
    """The sums of all measures over some calls; aggregates.domain.measures says how each comes from the log."""

    total_calls = models.BigIntegerField("calls")
    total_errors = models.BigIntegerField("errors")
    total_unpriced_calls = models.BigIntegerField("calls without a price")
    total_cost = models.DecimalField("cost (USD)", max_digits=36, decimal_places=12)
    total_input_tokens = models.BigIntegerField("input tokens")
    total_cached_tokens = models.BigIntegerField("cached tokens")
    total_cache_write_tokens = models.BigIntegerField("cache-write tokens")
    total_output_tokens = models.BigIntegerField("output tokens")
    total_reasoning_tokens = models.BigIntegerField("reasoning tokens")
    total_cache_hit_rate = models.DecimalField("sum of cache hit rates", max_digits=28, decimal_places=8)

    class Meta:
        abstract = True
        constraints = [models.CheckConstraint(condition=models.Q(total_calls__gt=0), name="%(class)s_has_calls")]


class DailyAggregate(Totals):
    """An organization's day with usage."""

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField(db_index=True)
    # For people who read the table; reports divide the sums themselves.
    avg_cache_hit_rate = models.GeneratedField(
        expression=models.F("total_cache_hit_rate") / models.F("total_calls"),
        output_field=models.DecimalField(max_digits=17, decimal_places=16),
        db_persist=True,
    )

    class Meta(Totals.Meta):
        ordering = ["-date", "organization"]
        constraints = [
            *Totals.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "date"], name="daily_aggregate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.date}"


class Breakdown(Totals):
    """Sums at one grain; dimensions that are not of the grain are ''."""

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    grain = models.TextField()
    operation = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    user_id = models.TextField()
    subject_id = models.TextField()
    project = models.TextField()

    class Meta(Totals.Meta):
        abstract = True


DIMENSION_FIELDS = ["operation", "provider", "model", "user_id", "subject_id", "project"]


class DailyBreakdown(Breakdown):
    """An organization's day, broken down at one grain."""

    date = models.DateField()

    class Meta(Breakdown.Meta):
        constraints = [
            *Totals.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "grain", "date", *DIMENSION_FIELDS], name="daily_breakdown_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.date} by {self.grain}"


class PeriodBreakdown(Breakdown):
    """The sums of an organization's daily breakdowns of a week or month; they are that while there is a UsagePeriod."""

    unit = models.TextField()
    first = models.DateField()

    class Meta(Breakdown.Meta):
        constraints = [
            *Totals.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "grain", "unit", "first", *DIMENSION_FIELDS], name="period_breakdown_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.unit} of {self.first} by {self.grain}"


class UsagePeriod(models.Model):
    """A week or month, by its first day, whose breakdowns are the sums of its daily ones.

    Whoever changes one of those deletes this in the same transaction.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    unit = models.TextField(choices=[("week", "week"), ("month", "month")])
    first = models.DateField()
    summed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "unit", "first"], name="usage_period_once")]

    def __str__(self) -> str:
        return f"{self.organization} {self.unit} of {self.first}"


class UsageDay(models.Model):
    """A day on which an organization has recorded calls, as its time zone cut it when it was last looked at.

    It is sealed through an instant before its calls up to there are rolled up: whoever records a call from before that
    instant later sees the seal and leaves a StaleDay. Without such a mark the aggregates hold exactly the calls from
    `starts_at` to before `rolled_through`. Clean is a day without a mark that is rolled through its end.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    sealed_through = models.DateTimeField(null=True)
    rolled_through = models.DateTimeField(null=True)
    rolled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "date"], name="usage_day_once"),
            models.CheckConstraint(condition=models.Q(starts_at__lt=models.F("ends_at")), name="usage_day_has_span"),
            models.CheckConstraint(
                condition=models.Q(sealed_through=None)
                | models.Q(sealed_through__range=(models.F("starts_at"), models.F("ends_at"))),
                name="usage_day_sealed_within",
            ),
            models.CheckConstraint(
                condition=models.Q(rolled_through=None, rolled_at=None)
                # A comparison with NULL is not false, and a CHECK lets pass all that is not.
                | models.Q(
                    rolled_at__isnull=False,
                    sealed_through__isnull=False,
                    rolled_through__gte=models.F("starts_at"),
                    rolled_through__lte=models.F("sealed_through"),
                ),
                name="usage_day_sealed_first",
            ),
        ]
        indexes = [
            models.Index(
                fields=["date", "organization"],
                condition=models.Q(rolled_through=None) | models.Q(rolled_through__lt=models.F("ends_at")),
                name="usage_day_unrolled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.date}"


class StaleDay(models.Model):
    """A mark: calls of a day were recorded, changed or deleted before the instant through which it was sealed.

    Only ever appended, and deleted by rolling.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField()
    marked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "date"], name="stale_day")]

    def __str__(self) -> str:
        return f"{self.organization} {self.date}"
