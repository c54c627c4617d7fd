"""Daily aggregates, and the state of each day: sealed, rolled, stale."""

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypedDict

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Now, NullIf

from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.measures import MEASURES
from aggregates.models.log import LogHole
from aggregates.models.organization import Organization
from aggregates.models.packed import PackedTotals, are_even, texts

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class Totals(models.Model):
    """The sums of all measures over some calls and charges; aggregates.domain.measures says how each is made."""

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
    total_charges = models.BigIntegerField("charges", db_default=0)
    total_charge_cost = models.DecimalField(
        "cost of charges (USD)", max_digits=36, decimal_places=12, db_default=Decimal(0)
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=models.Q(total_calls__gte=0, total_charges__gte=0)
                & (models.Q(total_calls__gt=0) | models.Q(total_charges__gt=0)),
                name="%(class)s_has_rows",
            )
        ]


class DailyAggregate(Totals):
    """An organization's day with usage."""

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField(db_index=True)
    # For people who read the table; reports divide the sums themselves. A day without calls has none.
    avg_cache_hit_rate = models.GeneratedField(
        expression=models.F("total_cache_hit_rate") / NullIf(models.F("total_calls"), 0),
        output_field=models.DecimalField(max_digits=17, decimal_places=16, null=True),
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


ARRAYS = tuple(of_groups.column for of_groups in (*DIMENSIONS, *MEASURES))


class BreakdownChunk(PackedTotals):
    """Some groups of an organization's day, week or month at one grain, side by side: an array for each dimension and
    measure, in which a group has the same place.

    A row for each group would take as much room as its calls. NULL stands for an array of '' or of 0 alone, and for a
    dimension that is not of the grain. `first` is the first day of the week or month.

    Of a ranked grain that has many groups then, those that come first by what they cost, or by what else pages rank,
    are in parts 0, -1 and so on, dearest first; all others are from part 1 on, by their names. `most_*` is the most
    that any group has that comes after such a part, NULL where none does. Part 0 has in `later` the first name of each
    part from 1 on; where that is NULL, the groups were packed before there was such an order, and are in none.
    """

    pk = models.CompositePrimaryKey("organization", "grain", "unit", "first", "part")
    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    first = models.DateField()
    part = models.IntegerField()
    grain = models.TextField()
    unit = models.TextField(choices=[("day", "day"), ("week", "week"), ("month", "month")])
    operation = texts()
    provider = texts()
    model = texts()
    user_id = texts()
    subject_id = texts()
    project = texts()
    service_tier = texts()
    key = texts()
    later = texts()
    most_cost = models.DecimalField(max_digits=36, decimal_places=12, null=True)
    most_calls = models.BigIntegerField(null=True)
    most_tokens = models.BigIntegerField(null=True)
    most_errors = models.BigIntegerField(null=True)
    most_input_tokens = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=are_even(ARRAYS),
                name="breakdown_chunk_even",
            ),
        ]
        indexes = [models.Index(fields=["first", "unit"], name="breakdown_chunk_by_first")]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.unit} of {self.first} by {self.grain}, {self.part}"


class Breakdown(Totals):
    """A group of a BreakdownChunk as a row, to look at; dimensions that are not of the grain are ''.

    Views, made by migration 0023.
    """

    id = models.TextField(primary_key=True)
    organization = models.ForeignKey(Organization, models.DO_NOTHING, db_index=False, related_name="+")
    grain = models.TextField()
    part = models.IntegerField()
    operation = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    user_id = models.TextField()
    subject_id = models.TextField()
    project = models.TextField()
    service_tier = models.TextField()
    key = models.TextField()

    class Meta:
        abstract = True
        managed = False


class DailyBreakdown(Breakdown):
    """A group of an organization's day at one grain."""

    date = models.DateField()

    class Meta(Breakdown.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.organization} {self.date} by {self.grain}"


class PeriodBreakdown(Breakdown):
    """The sums of an organization's daily breakdowns of a week or month; they are that while there is a UsagePeriod."""

    unit = models.TextField()
    first = models.DateField()

    class Meta(Breakdown.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.organization} {self.unit} of {self.first} by {self.grain}"


class UsagePeriod(models.Model):
    """A week or month, by its first day, whose breakdowns are the sums of its daily ones.

    Whoever changes one of those deletes this in the same transaction.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    unit = models.TextField(choices=[("week", "week"), ("month", "month")])
    first = models.DateField()
    contents = models.SmallIntegerField(db_default=1, help_text="What it holds: an entry of domain.contents.VERSIONS.")
    summed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "unit", "first"], name="usage_period_once")]

    def __str__(self) -> str:
        return f"{self.organization} {self.unit} of {self.first}"


class State(StrEnum):
    """What a recorded day is; aggregates.db.day_states says the same in SQL."""

    OPEN = "open"
    CLEAN = "clean"
    STALE = "stale"
    NOT_ROLLED = "not rolled"
    KEPT = "kept"


class Stated(TypedDict):
    state: str


# Of a UsageDay.
KEPT = Q(kept_at__isnull=False)
ROLLED_WHOLE = Q(rolled_through__isnull=False, rolled_through=F("ends_at"))
UNROLLED = Q(rolled_through=None) | Q(rolled_through__lt=F("ends_at"))  # as the index of such days has it
OVER = Q(ends_at__lte=Now())


def _marked() -> Exists:
    return Exists(StaleDay.objects.filter(organization=OuterRef("organization"), date=OuterRef("date")))


class UsageDayQuerySet(models.QuerySet["UsageDay"]):
    """What state days are in, for those who oversee roll-ups; days that are open are in none of the others."""

    def with_state(self) -> "models.QuerySet[WithAnnotations[UsageDay, Stated]]":
        """Annotate the days with their State."""
        state = Case(
            When(KEPT, then=Value(State.KEPT.value)),
            When(ends_at__gt=Now(), then=Value(State.OPEN.value)),
            When(~ROLLED_WHOLE, then=Value(State.NOT_ROLLED.value)),
            When(_marked(), then=Value(State.STALE.value)),
            default=Value(State.CLEAN.value),
            output_field=models.TextField(),
        )
        stated: models.QuerySet[WithAnnotations[UsageDay, Stated]] = self.annotate(state=state)  # type: ignore[assignment]
        return stated

    def kept(self) -> Self:
        """Keep to the days whose calls are no longer all in the log: nothing replaces their sums."""
        return self.filter(KEPT)

    def alarming(self) -> Self:
        """Keep to the kept days that nobody has accepted."""
        return self.filter(KEPT, accepted_at=None)

    def not_kept(self) -> Self:
        return self.filter(kept_at=None)

    def not_rolled(self) -> Self:
        """Keep to the days that are over and not rolled through their end: by an index of just those."""
        return self.filter(UNROLLED, OVER)

    def marked(self) -> Self:
        """Keep to the days, open ones included, with calls that were recorded, changed or deleted late."""
        return self.filter(_marked())

    def stale(self) -> Self:
        """Keep to the days that are to be rolled up again, because calls of theirs came late."""
        return self.filter(ROLLED_WHOLE, _marked(), OVER, kept_at=None)

    def clean(self) -> Self:
        """Keep to the days that are rolled up through their end, with all that was recorded for them."""
        return self.filter(ROLLED_WHOLE, ~_marked(), OVER, kept_at=None)

    def comparable(self) -> Self:
        """Keep to the days whose aggregates hold the log up to where they are rolled, open ones included."""
        return self.filter(~_marked(), rolled_through__isnull=False, kept_at=None)

    def lost(self) -> Self:
        """Keep to the days, not kept so far, with a part that was rolled up and that the log has not had ever since."""
        hole = LogHole.objects.filter(
            since__lt=OuterRef("rolled_through"), until__gt=OuterRef("starts_at"), born_at__gt=OuterRef("rolled_at")
        )
        return self.filter(Exists(hole), rolled_through__isnull=False, kept_at=None)


class KeptReason(models.TextChoices):
    """Why the calls of a kept day are no longer all in the log."""

    RETENTION = "retention", "its month was dropped, as too old"
    PARTITION = "partition", "a month of the log that held its calls is missing, or was made anew"
    CALLS = "calls", "the log holds fewer calls than were rolled up, and no correction says why"


class UsageDay(models.Model):
    """A day on which an organization has recorded calls, as its time zone cut it when it was last looked at.

    It is sealed through an instant before its calls up to there are rolled up: whoever records a call from before that
    instant later sees the seal and leaves a StaleDay. Without such a mark the aggregates hold exactly the calls from
    `starts_at` to before `rolled_through`. Clean is a day without a mark that is rolled through its end.

    A day is kept once calls that were rolled up are no longer in the log: its aggregates are then all there is, nothing
    replaces them, and calls from before its seal are refused. Unless retention did that, it is an alarm until it is
    accepted.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    sealed_through = models.DateTimeField(null=True)
    rolled_through = models.DateTimeField(null=True)
    rolled_at = models.DateTimeField(null=True)
    contents = models.SmallIntegerField(
        db_default=1, help_text="What its aggregates hold: an entry of domain.contents.VERSIONS."
    )
    hours_at = models.DateTimeField(
        null=True, help_text="When its hours were summed, too: they count while that is when it was rolled up last."
    )
    kept_at = models.DateTimeField(null=True, help_text="Since when its aggregates are all there is.")
    kept_reason = models.TextField(choices=KeptReason, blank=True, db_default="")
    accepted_at = models.DateTimeField(null=True, help_text="When somebody accepted that it is kept.")

    objects = UsageDayQuerySet.as_manager()

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
            models.CheckConstraint(
                condition=models.Q(kept_at=None, kept_reason="", accepted_at=None)
                | models.Q(kept_at__isnull=False, kept_reason__in=KeptReason.values, rolled_through__isnull=False),
                name="usage_day_kept_rolled",
            ),
        ]
        indexes = [
            models.Index(
                fields=["date", "organization"],
                condition=models.Q(rolled_through=None) | models.Q(rolled_through__lt=models.F("ends_at")),
                name="usage_day_unrolled",
            ),
            models.Index(
                fields=["organization", "date"], condition=models.Q(kept_at__isnull=False), name="usage_day_kept"
            ),
            models.Index(
                fields=["contents", "-date"],
                condition=models.Q(kept_at=None, rolled_through__isnull=False),
                name="usage_day_contents",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.date}"


class StaleDay(models.Model):
    """A mark: calls of a day were recorded, changed or deleted before the instant through which it was sealed.

    Only ever appended, and deleted by rolling. `removed` is how many calls and charges were taken out: by so many, at
    most, those of the day may become fewer when it is rolled up again.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="+")
    date = models.DateField()
    marked_at = models.DateTimeField(auto_now_add=True)
    removed = models.BigIntegerField(db_default=0)

    class Meta:
        indexes = [models.Index(fields=["organization", "date"], name="stale_day")]
        constraints = [models.CheckConstraint(condition=models.Q(removed__gte=0), name="stale_day_removed_counted")]

    def __str__(self) -> str:
        return f"{self.organization} {self.date}"
