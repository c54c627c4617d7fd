"""Dropping old months of the log: their daily aggregates stay, for ever and unchanged.

A month goes only when every day that has calls in it is clean and equals its log. From then on `Organization.log_from`
says which days are known from aggregates alone; calls of such days are refused.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from aggregates.db.locks import Busy, Lock, day_number, take, take_shared, waiting_at_most
from aggregates.db.partitions import drop_partition, existing_months, lock_out, months
from aggregates.domain import days
from aggregates.domain.days import DAY, INSTANT, Span
from aggregates.models import Organization, StaleDay, UsageDay
from aggregates.rollup import day_sums

PATIENCE = "3s"  # how long we may hold up everybody while we wait for those who read or write the log


class CannotDrop(Exception):
    """A month has days whose aggregates are not known to equal its log; the message names some of them."""


@dataclass(slots=True)
class Dropped:
    """The months (UTC) that went, and why the next one did not."""

    months: list[date] = field(default_factory=list)
    refusal: str = ""


def drop_months(keep: int, now: datetime) -> Dropped:
    """Drop the log's months that ended `keep` months ago or more, oldest first; stops at the first that cannot go."""
    today = now.astimezone(UTC).date()
    number = today.year * 12 + today.month - 1 - keep
    kept_from = date(number // 12, number % 12 + 1, 1)
    dropped = Dropped()
    for month in existing_months():
        if month >= kept_from:
            break
        try:
            drop_month(month)
        except CannotDrop as refusal:
            dropped.refusal = str(refusal)
            break
        except Busy:
            dropped.refusal = f"{month:%Y-%m} stays for now: its calls are being read or written."
            break
        dropped.months.append(month)
    return dropped


def drop_month(month: date) -> None:
    """Drop one month's calls. Raises CannotDrop, and Busy if others read or write the log for long."""
    _, following = months(month, month + 31 * DAY)
    touched = list(days.dates(month - DAY, following + DAY))  # in whichever zone
    organizations = list(Organization.objects.values_list("pk", flat=True))
    for day in touched:  # first, and without holding anybody up
        if differing := day_sums.verify(day, organizations):
            raise CannotDrop(f"{month:%Y-%m} stays: {differing[0].date} differs from its log. Roll it up again.")
    with transaction.atomic(), waiting_at_most(PATIENCE):
        take_shared(Lock.ZONES)
        take(Lock.ROLL, *map(day_number, touched))
        lock_out()  # who wrote before has committed; who writes later learns that these days are no longer kept
        take(Lock.PARTITIONS)
        for organization in Organization.objects.all():
            _close(organization, month, following)
        drop_partition(month)


def _close(organization: Organization, month: date, following: date) -> None:
    """Have the organization's days that begin before `following` known from their aggregates alone."""
    boundary = datetime(following.year, following.month, 1, tzinfo=UTC)
    # The day that holds the boundary loses a part of its calls, so it is closed too.
    first_kept = days.date_of(boundary - INSTANT, organization.time_zone) + DAY
    recorded = UsageDay.objects.filter(organization=organization, date__lt=first_kept)
    if organization.log_from:
        recorded = recorded.filter(date__gte=organization.log_from)
    marks = StaleDay.objects.filter(organization=OuterRef("organization"), date=OuterRef("date"))
    unclean = recorded.filter(Q(rolled_through=None) | Q(rolled_through__lt=F("ends_at")) | Exists(marks))
    if day := unclean.order_by("date").first():
        raise CannotDrop(f"{month:%Y-%m} stays: {organization.slug} {day.date} is not rolled up, or has late calls.")
    spans = recorded.values_list("date", "starts_at", "ends_at")
    if any(Span(*span) != days.span_of(day, organization.time_zone) for day, *span in spans):
        raise CannotDrop(f"{month:%Y-%m} stays: days of {organization.slug} are to be cut anew first.")
    if recorded.exists():
        Organization.objects.filter(pk=organization.pk).update(log_from=first_kept)
