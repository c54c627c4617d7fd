"""Whether the workers of a task cluster take the tasks that it gives out.

An idle worker holds the lock of their queue. One that is killed then leaves it locked: all workers wait, the guard
starts others in vain, and nothing of that shows.
"""

import fcntl
import logging
import os
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils import timezone

from aggregates.db.limits import TimedOut, limited_session

LEFT_FOR = timedelta(minutes=5)  # that a task which was given out may be left by workers who have nothing to do
LOOK_SECONDS = 10  # that a statement of a look may take

logger = logging.getLogger(__name__)


class Pulse:
    """A file that all processes of a cluster have open: locked by workers while they work, and touched whenever they
    begin or end. A lock of this kind is a process's, and goes with it, however that ends."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115

    def follow_workers(self) -> None:
        """Take note of tasks, in a process whose children are workers."""
        from django_q.signals import post_execute_in_worker, pre_execute

        pre_execute.connect(self.begin, weak=False)
        post_execute_in_worker.connect(self.end, weak=False)

    def begin(self, **_: Any) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_SH)
        os.utime(self._file.fileno())

    def end(self, **_: Any) -> None:
        os.utime(self._file.fileno())
        fcntl.lockf(self._file, fcntl.LOCK_UN)

    def last(self) -> datetime | None:
        """Tell when a worker last began or ended a task, at first when the cluster began; None while one is at work."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        return datetime.fromtimestamp(os.fstat(self._file.fileno()).st_mtime, UTC)


def are_tasks_left(pulse: Pulse) -> bool:
    """Say whether a task was given out since a worker last began or ended one, and is left; False where nobody knows.

    Of several clusters at one database each looks at the tasks of all: one that has nothing to do may take those that
    another leaves for its own, and begins anew in vain.
    """
    from django_q.models import OrmQ

    last = pulse.last()
    if last is None:
        return False
    cluster: dict[str, Any] = settings.Q_CLUSTER
    locked_for = timedelta(seconds=cluster["retry"])  # from when a task is given out
    left = OrmQ.objects.filter(lock__gt=last + locked_for, lock__lt=timezone.now() - LEFT_FOR + locked_for)
    try:
        with limited_session(LOOK_SECONDS):
            return bool(left.exists())
    except (Error, TimedOut) as error:
        logger.warning("The queue of tasks could not be looked at.", exc_info=error)
        return False
