"""Cutting an organization's days anew, when its time zone changes or the zone itself does.

Only the rows that know the days change, in an instant: all of them then count as not rolled up and are read from the
log, until the task cluster has rolled them up in their new cut.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from django.db import transaction

from aggregates.db import audit, clock
from aggregates.db.kept_days import keep_all_lost
from aggregates.db.locks import Lock, take, waiting_at_most
from aggregates.db.partitions import hold_log
from aggregates.domain import days
from aggregates.domain.days import INSTANT, Span
from aggregates.ingest.day_locks import insert_days
from aggregates.models import Event, Organization, StaleDay, UsageDay, User
from aggregates.rollup import day_sums, hour_chunks, period_sums

PATIENCE = "3s"  # how long those who record calls are held up while we wait for those who began before


class CannotRecut(Exception):
    """The log no longer holds all that would have to be summed again."""


def change_time_zone(organization: Organization, zone: str, user: User | None = None) -> None:
    """Cut the organization's days in another time zone, while calls keep coming in; `user` is who asked for it, where
    that is not who is logged in.

    Raises Busy if others are recording or rolling up for long, and CannotRecut if the organization has days whose calls
    are no longer all in the log.
    """
    with _alone_with_zones(organization):
        keep_all_lost()  # before they count as not rolled up
        if zone != organization.time_zone:
            _check_recuttable(organization)
        before, organization.time_zone = organization.time_zone, zone
        organization.save(update_fields=["time_zone"])
        _recut(organization)
        if zone != before:
            today = days.date_of(clock.now(), zone)
            was, becomes = {"time_zone": before}, {"time_zone": zone}
            audit.write(Event.ZONE_CHANGED, organization, before=was, after=becomes, days=(today, today), user=user)


def _check_recuttable(organization: Organization) -> None:
    recorded = UsageDay.objects.filter(organization=organization)
    log_from = organization.log_from
    if log_from and recorded.filter(date__lt=log_from).exists():
        raise CannotRecut(
            f"The time zone stays {organization.time_zone}: the calls of days before {log_from} are no longer "
            "kept, so their aggregates cannot be cut anew."
        )
    if day := recorded.kept().order_by("date").first():
        raise CannotRecut(
            f"The time zone stays {organization.time_zone}: calls of {day.date} are missing from the log, so its "
            "aggregates cannot be cut anew."
        )


@contextmanager
def _alone_with_zones(organization: Organization) -> Iterator[None]:
    with transaction.atomic():
        with waiting_at_most(PATIENCE):
            take(Lock.ZONES)
        hold_log()
        organization.refresh_from_db()
        yield


def _recut(organization: Organization) -> None:
    since = organization.log_from or date.min
    recorded = UsageDay.objects.not_kept().filter(organization=organization, date__gte=since)
    known = list(recorded.values_list("date", "starts_at", "ends_at"))
    StaleDay.objects.filter(organization=organization, date__in=[day for day, _, _ in known]).delete()
    recorded.delete()
    kept = set(UsageDay.objects.kept().filter(organization=organization).values_list("date", flat=True))
    cut = {day: span for day, span in _cut(known, organization.time_zone).items() if day >= since and day not in kept}
    insert_days(organization, cut)
    _delete_aggregates(organization, {day for day, _, _ in known} - cut.keys())


def _cut(known: Iterable[tuple[date, datetime, datetime]], zone: str) -> dict[date, Span]:
    """The days of the zone that may hold a call of a day known so far. Their dates stay, so that their aggregates are
    replaced when they are rolled up, and until then left out."""
    dates: set[date] = set()
    for day, starts_at, ends_at in known:
        dates |= {day, *days.dates(days.date_of(starts_at, zone), days.date_of(ends_at - INSTANT, zone))}
    spans = {day: days.span_of(day, zone) for day in sorted(dates)}
    return {day: span for day, span in spans.items() if span}


def _delete_aggregates(organization: Organization, gone: set[date]) -> None:
    """Delete the aggregates of dates that the zone skipped."""
    for day in gone:
        period_sums.invalidate(day, [organization.pk])
        day_sums.clear(day, [organization.pk])
        hour_chunks.clear(day, [organization.pk])


def recut_moved() -> list[Organization]:
    """Cut the days anew of organizations whose time zone has changed its rules since; which they are.

    Until then such days are read from the log.
    """
    in_log = UsageDay.objects.not_kept().order_by().distinct()
    cuts = in_log.values_list("organization__time_zone", "date", "starts_at", "ends_at")
    moved = {zone for zone, day, *span in cuts if days.span_of(day, zone) != Span(*span)}
    organizations = list(Organization.objects.in_use().filter(time_zone__in=moved))
    for organization in organizations:
        with _alone_with_zones(organization):  # the zone that it has by now
            keep_all_lost()
            _recut(organization)
    return organizations
