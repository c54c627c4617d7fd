"""When the task cluster runs which task: two rows of django-q2's schedule, made whenever the tables are migrated."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import transaction

from aggregates.db import clock
from aggregates.db.locks import Lock, take

MINUTES, DAILY = "I", "D"  # as django_q.models.Schedule has them; it cannot be imported before the apps are ready


@dataclass(frozen=True, slots=True)
class Plan:
    """A task that runs daily `at` a time, in UTC, or every so many `minutes`."""

    name: str
    func: str
    at: time | None = None
    minutes: int | None = None

    @property
    def definition(self) -> dict[str, object]:
        return {"func": self.func, "schedule_type": DAILY if self.at else MINUTES, "minutes": self.minutes}

    def first_run(self, now: datetime) -> datetime:
        if self.at is None:
            return now
        today = datetime.combine(now.astimezone(UTC), self.at, UTC)
        return today if today > now else today + timedelta(days=1)


PLANS = (
    Plan("nightly", "aggregates.tasks.nightly", at=time(1)),
    Plan("repair", "aggregates.tasks.repair", minutes=5),
)


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
