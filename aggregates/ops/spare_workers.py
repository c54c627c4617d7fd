"""The workers of the task cluster that may be busy for long: all but one, so that the night never waits for them."""

import os
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Model
from django.utils import timezone
from django_q.tasks import async_task

from aggregates.db.beside import Beside
from aggregates.db.locks import Lock
from aggregates.models import FileImport, Repricing


@dataclass(frozen=True, slots=True)
class LongTask:
    """A task that takes a worker for long; it finds its work in the rows of `model` whose state is “queued”."""

    name: str
    group: str
    model: type[Model]

    def enqueue(self) -> None:
        """Have a worker look for work of this kind."""
        async_task(self.name, group=self.group, task_name=f"{self.group} {timezone.now():%H:%M:%S.%f}")

    def has_work(self) -> bool:
        """Say whether something waits."""
        return self.model._default_manager.filter(state="queued").exists()


IMPORT = LongTask("aggregates.tasks.run_import", "import", FileImport)
REPRICE = LongTask("aggregates.tasks.reprice_calls", "repricing", Repricing)
LONG_TASKS = (IMPORT, REPRICE)


def slots() -> int:
    """Count the workers that may be busy for long."""
    cluster: dict[str, Any] = settings.Q_CLUSTER
    workers = cluster.get("workers") or os.cpu_count() or 1  # as django-q2 has it
    return max(int(workers) - 1, 0)


def take(own: Beside) -> int | None:
    """Take the place of one of them; None if all are busy."""
    return next((number for number in range(slots()) if own.try_lock(Lock.IMPORT_SLOT, number)), None)


def give_back(own: Beside, slot: int, but: LongTask | None = None) -> None:
    """Give the place back, and have others look where something waits, but not for the kind of which nothing did."""
    own.unlock(Lock.IMPORT_SLOT, slot)
    # Only now: whoever came before found no place, and is seen here; whoever comes later finds it.
    for task in LONG_TASKS:
        if task is not but and task.has_work():
            task.enqueue()
