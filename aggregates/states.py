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
