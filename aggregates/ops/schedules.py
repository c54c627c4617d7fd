"""When the task cluster runs which task: two rows of django-q2's schedule, made whenever the tables are migrated.

They are set right where a clock that was wrong has put them off.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import Error, transaction

from aggregates.db import clock
from aggregates.db.limits import TimedOut, limited_session
from aggregates.db.locks import Lock, take

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10  # that a statement of a look may take; the next one comes within a minute
MINUTES, DAILY = "I", "D"  # as django_q.models.Schedule has them; it cannot be imported before the apps are ready


@dataclass(frozen=True, slots=True)
class Plan:
    """A task that runs daily `at` a time, in UTC, or every so many `minutes`."""

    name: str
    func: str
    at: time | None = None
    minutes: int | None = None

    @property
    def interval(self) -> timedelta:
        """How far ahead its next run may be."""
        return timedelta(days=1) if self.minutes is None else timedelta(minutes=self.minutes)

    @property
    def definition(self) -> dict[str, object]:
        return {"func": self.func, "schedule_type": DAILY if self.at else MINUTES, "minutes": self.minutes}

    def first_run(self, now: datetime) -> datetime:
        if self.at is None:
            return now
        today = datetime.combine(now.astimezone(UTC), self.at, UTC)
        return today if today > now else today + timedelta(days=1)


CLOCKS_APART = timedelta(minutes=2)  # that machines may be without harm
PLANS = (
    Plan("nightly", "aggregates.tasks.nightly", at=time(1)),
    Plan("repair", "aggregates.tasks.repair", minutes=5),
)


def is_put_off(plan: Plan, next_run: datetime, now: datetime) -> bool:
    """Say whether a task waits for longer than from one run to the next: its clock had jumped ahead, and came back."""
    return next_run > now + plan.interval + CLOCKS_APART


def look() -> None:
    """Let tasks run when they should that a clock put off, also those in the queue; log what fails, raise nothing."""
    try:
        with limited_session(LOOK_SECONDS), transaction.atomic():
            put_off = _set_right(clock.now())
    except (Error, TimedOut) as error:
        logger.warning("The schedules of tasks could not be looked at.", exc_info=error)
    else:
        if put_off:
            logger.error(
                "Tasks were put off by a clock that was wrong.", extra={"fields": {"tasks": ", ".join(put_off)}}
            )


def _set_right(now: datetime) -> list[str]:
    from django_q.models import OrmQ, Schedule

    put_off = []
    for plan in PLANS:
        rows = Schedule.objects.filter(func=plan.func).exclude(repeats=0)
        waiting = [row.pk for row in rows.select_for_update() if row.next_run and is_put_off(plan, row.next_run, now)]
        if rows.filter(pk__in=waiting).update(next_run=plan.first_run(now)):
            put_off.append(plan.name)
    cluster: dict[str, Any] = settings.Q_CLUSTER
    retry = timedelta(seconds=cluster["retry"])  # a task that is at work is locked for so long
    if OrmQ.objects.filter(lock__gt=now + retry + CLOCKS_APART).update(lock=now):
        put_off.append("the queue")
    return put_off


def ensure_schedules(apps: Apps = current_apps, **_: Any) -> None:
    """Give each plan one row, and let a plan that changed begin anew; a receiver of post_migrate.

    A row that is as its plan says stays untouched, with its next run, so an operator may move that.
    """
    try:
        rows = apps.get_model("django_q", "Schedule").objects
    except LookupError:
        return  # its tables are not there yet: they come with a later migration
    with transaction.atomic():
        take(Lock.SCHEDULES)  # a name is not unique in that table
        now = clock.now()
        for plan in PLANS:
            first, *doubles = rows.filter(name=plan.name).order_by("pk") or [None]
            rows.filter(pk__in=[double.pk for double in doubles]).delete()
            anew = {**plan.definition, "next_run": plan.first_run(now)}
            if first is None:
                rows.create(name=plan.name, **anew)
            elif any(getattr(first, field) != value for field, value in plan.definition.items()):
                rows.filter(pk=first.pk).update(**anew)
