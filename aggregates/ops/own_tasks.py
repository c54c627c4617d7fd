"""Which functions the task cluster runs: this site's, and no other, whoever wrote its name into the database."""

import logging
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from django.db.models.signals import post_save

from aggregates.db.audit import Actor, acting
from aggregates.models import Via

OURS = "aggregates.tasks"  # lists them; imported where one is looked for, as it has them from here

logger = logging.getLogger(__name__)

Task = Callable[..., Any]


class ForeignTask(Exception):
    """A task that is none of this site's."""


def guard_cluster() -> None:
    """Have django-q2 look for functions here, and run none when a task has ended.

    It imports whatever a row of its tables names: by pydoc in its workers, and in a receiver for hooks.
    """
    from django_q import models, signals, worker

    worker.pydoc = SimpleNamespace(locate=find)
    post_save.disconnect(signals.call_hook, sender=models.Task)


def find(name: str) -> Task:
    """Return the task of this name; of a name that is none of ours, a function that fails."""
    module, _, own = name.rpartition(".")
    ours = import_module(OURS)
    if module != OURS or own not in ours.__all__:
        return _refusing(name)
    return _logged(getattr(ours, own))


def _refusing(name: str) -> Task:
    def refuse(*_: Any, **__: Any) -> None:
        logger.error("A task was refused: it is none of this site's.", extra={"fields": {"function": name[:100]}})
        raise ForeignTask("This function is none of this site's tasks.")

    return refuse


def _logged(task: Task) -> Task:
    @wraps(task)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            with acting(lambda: Actor(Via.TASK)):
                return task(*arguments, **named)
        except (Exception, SystemExit) as error:  # django-q2 ends a task that takes too long by a SystemExit
            logger.error("A task failed.", exc_info=error, extra={"fields": {"task": task.__name__}})
            raise

    return run
