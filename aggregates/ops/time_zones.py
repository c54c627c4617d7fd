"""Time zones that organizations asked for, as a task of the task cluster: each cuts all days of one anew."""

import logging

from django.db import connection
from django.utils import timezone
from django_q.tasks import async_task

from aggregates.db.locks import Busy
from aggregates.models import Organization, User
from aggregates.models.organization import OrganizationQuerySet
from aggregates.rollup.recutting import CannotRecut, change_time_zone

TASK = "aggregates.tasks.change_time_zones"

logger = logging.getLogger(__name__)


class ZonesFailed(Exception):
    """The days of some organizations could not be cut, while those of others were."""


def request(organization: Organization, zone: str, user: User) -> bool:
    """Have the organization's days cut in another zone by the task cluster, on behalf of a user; with the zone that it
    has, in none. Returns whether any days will be cut."""
    wanted = "" if zone == organization.time_zone else zone
    Organization.objects.filter(pk=organization.pk).update(
        wanted_time_zone=wanted, wanted_time_zone_by=user if wanted else None, time_zone_problem=""
    )
    if wanted:
        _enqueue()
    return bool(wanted)


def go_on() -> None:
    """Have a task look where a zone is still asked for."""
    if _waiting().exists():
        _enqueue()


def change_time_zones() -> str:
    """Cut the days of each organization that asked for it; say what came of it, in words. Raises ZonesFailed at the end
    if some days could not be cut for a reason that nobody foresaw.

    The task names no organization: it finds its work in the database, so it may be given out twice.
    """
    said, failed = [], []
    for organization in _waiting():
        try:
            said.append(_change(organization))
        except Exception as error:
            if not connection.is_usable():
                raise  # the others would all end like this one
            logger.exception("Cutting the days of %s failed.", organization.slug)
            failed.append(f"{organization.slug}: {type(error).__name__}: {error}")
    if failed:
        raise ZonesFailed("; ".join([*failed, *said]))
    return "; ".join(said) or "nothing to do"


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
