"""Time zones that organizations asked for, as a task of the task cluster: each cuts all days of one anew."""

from django.utils import timezone
from django_q.tasks import async_task

from aggregates.db.locks import Busy
from aggregates.models import Organization, User
from aggregates.models.organization import OrganizationQuerySet
from aggregates.rollup.recutting import CannotRecut, change_time_zone

TASK = "aggregates.tasks.change_time_zones"


def request(organization: Organization, zone: str, user: User) -> None:
    """Have the organization's days cut in another zone by the task cluster, on behalf of a user; with the zone that it
    has, in none."""
    wanted = "" if zone == organization.time_zone else zone
    Organization.objects.filter(pk=organization.pk).update(
        wanted_time_zone=wanted, wanted_time_zone_by=user if wanted else None, time_zone_problem=""
    )
    if wanted:
        _enqueue()


def go_on() -> None:
    """Have a task look where a zone is still asked for."""
    if _waiting().exists():
        _enqueue()


def change_time_zones() -> str:
    """Cut the days of each organization that asked for it; say what came of it, in words.

    The task names no organization: it finds its work in the database, so it may be given out twice.
    """
    return "; ".join(_change(organization) for organization in _waiting()) or "nothing to do"


def _waiting() -> OrganizationQuerySet:
    return Organization.objects.in_use().exclude(wanted_time_zone="").select_related("wanted_time_zone_by")


def _change(organization: Organization) -> str:
    zone = organization.wanted_time_zone
    asked = Organization.objects.filter(pk=organization.pk, wanted_time_zone=zone)
    try:
        change_time_zone(organization, zone, organization.wanted_time_zone_by)
    except Busy:
        return f"{organization.slug} waits: calls are being recorded"  # the next repair tries again
    except CannotRecut as error:
        asked.update(wanted_time_zone="", wanted_time_zone_by=None, time_zone_problem=str(error)[:300])
        return f"{organization.slug}: {error}"
    asked.update(wanted_time_zone="", wanted_time_zone_by=None)
    return f"{organization.slug}: days cut in {zone}"


def _enqueue() -> None:
    async_task(TASK, group="time zones", task_name=f"time zones {timezone.now():%H:%M:%S.%f}")
