"""The state of recorded days, for those who oversee roll-ups: open, clean, stale, or not rolled."""

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Now

from aggregates.models import StaleDay, UsageDay

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class State(StrEnum):
    OPEN = "open"
    CLEAN = "clean"
    STALE = "stale"
    NOT_ROLLED = "not rolled"


class Stated(TypedDict):
    state: str


MARKS = StaleDay.objects.filter(organization=OuterRef("organization"), date=OuterRef("date"))
# Of a UsageDay. It is clean when it is rolled through its end and nothing was recorded for it since.
STATE = Case(
    When(ends_at__gt=Now(), then=Value(State.OPEN.value)),
    When(~Q(rolled_through=F("ends_at")) | Q(rolled_through=None), then=Value(State.NOT_ROLLED.value)),
    When(Exists(MARKS), then=Value(State.STALE.value)),
    default=Value(State.CLEAN.value),
    output_field=TextField(),
)


def recorded_days(
    organizations: Collection[int], first: date, last: date
) -> "QuerySet[WithAnnotations[UsageDay, Stated]]":
    """The days from first to last on which these organizations have recorded calls, with their state."""
    return UsageDay.objects.filter(organization__in=organizations, date__range=(first, last)).annotate(state=STATE)


def not_rolled() -> QuerySet[UsageDay]:
    """The days of all organizations that are over and not rolled through their end: by an index of just those."""
    unrolled = Q(rolled_through=None) | Q(rolled_through__lt=F("ends_at"))
    return UsageDay.objects.filter(unrolled, ends_at__lte=Now())


def comparable(organizations: Collection[int], day: date) -> QuerySet[UsageDay]:
    """Those days of a date whose aggregates hold the log up to where they are rolled, open ones included."""
    kept = Q(organization__log_from=None) | Q(organization__log_from__lte=day)
    unmarked = UsageDay.objects.filter(~Exists(MARKS), kept, organization__in=organizations, date=day)
    return unmarked.filter(rolled_through__isnull=False)
