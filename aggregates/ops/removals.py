"""Organizations whose removal was asked for, as a task of the task cluster: a while at a time, until they are gone."""

import time

from django.utils import timezone
from django_q.tasks import async_task

from aggregates.db.beside import beside
from aggregates.db.locks import Busy, Lock
from aggregates.models import Organization
from aggregates.rollup import removal

TASK = "aggregates.tasks.remove_organizations"
SECONDS = 60.0  # that a task takes, about; others then have their turn


def request(organization: Organization) -> None:
    """Have the organization removed by the task cluster; nothing is recorded for it from now on."""
    removal.ask(organization)
    _enqueue()


def go_on() -> None:
    """Have a task look where an organization is left to be removed."""
    if Organization.objects.exclude(removal_asked_at=None).exists():
        _enqueue()


def remove_organizations() -> str:
    """Remove what was asked for, the earliest first, for a while; say what came of it, in words.

    The task names no organization: it finds its work in the database, so it may be given out twice.
    """
    until = time.monotonic() + SECONDS
    with beside() as own:
        if not own.try_lock(Lock.REMOVAL, 0):
            return "another task is at it"
        told, is_left = _remove(until)
    if is_left:
        _enqueue()  # only now: whoever takes it up at once finds the lock free
    return told


def _remove(until: float) -> tuple[str, bool]:
    """Remove until then; say what came of it, and whether another task is to go on."""
    gone = []
    for organization in Organization.objects.exclude(removal_asked_at=None).order_by("removal_asked_at"):
        try:
            for _ in removal.steps(organization):
                if time.monotonic() > until:
                    return f"{organization.slug} goes step by step", True
        except Busy:
            return f"{organization.slug} waits: calls are being recorded", False  # the next repair tries again
        gone.append(organization.slug)
    return f"{', '.join(gone) or 'nothing'} removed", False


def _enqueue() -> None:
    async_task(TASK, group="removal", task_name=f"removal {timezone.now():%H:%M:%S.%f}")
