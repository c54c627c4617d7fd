"""The history of runs: who rolled up or compared what, when, and how it ended."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from django.db import connection

from aggregates.db import clock
from aggregates.models import Job, RollUpRun
from aggregates.rollup import protocol
from aggregates.rollup.verification import Verified

KEPT = timedelta(days=90)
MOST_TEXT = 20_000  # characters of errors and differences, each
MOST_ERRORS = 20  # of a run, in words
logger = logging.getLogger(__name__)


class DatesFailed(Exception):
    """Some dates could not be rolled up, while the others were."""


@contextmanager
def record_run(job: Job) -> Iterator[RollUpRun]:
    """A row for what runs within, with the error that ends it.

    A repair that found no closed day to roll up leaves none: what it does for open days, every few minutes, is no news.
    """
    run = RollUpRun.objects.create(job=job, started_at=clock.now())
    try:
        yield run
    except BaseException as error:
        run.error = "\n".join(filter(None, (run.error, f"{type(error).__name__}: {error}")))
        raise
    finally:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()  # the end is to be written also when the connection broke
        _finish(run)


def _finish(run: RollUpRun) -> None:
    if run.job == Job.REPAIR and not (run.days or run.error):
        run.delete()
        return
    run.finished_at = clock.now()
    run.error, run.differences = run.error[:MOST_TEXT], run.differences[:MOST_TEXT]
    run.save()


def add_counts(run: RollUpRun, done: protocol.Summary) -> None:
    run.days += done.days
    run.rows += done.rows


def add_verified(run: RollUpRun, verified: Verified) -> None:
    run.compared += verified.days
    run.mismatches += len(verified.differences)
    run.differences = "\n".join(map(str, verified.differences))


class Failures:
    """Takes the errors of dates while later ones have their turn, and fails at the end if there were any."""

    def __init__(self) -> None:
        self.errors: list[tuple[date, Exception]] = []

    def __call__(self, day: date, error: Exception) -> None:
        if not connection.is_usable():
            raise error  # the later dates would all end like this one
        logger.error("Rolling up %s failed.", day, exc_info=error)
        self.errors.append((day, error))

    def raise_any(self) -> None:
        if self.errors:
            words = [f"{day}: {type(error).__name__}: {error}" for day, error in self.errors[:MOST_ERRORS]]
            if len(self.errors) > MOST_ERRORS:
                words.append(f"and {len(self.errors) - MOST_ERRORS} more")
            raise DatesFailed("; ".join(words)) from self.errors[0][1]


def prune() -> int:
    """Forget runs of long ago; how many."""
    deleted, _ = RollUpRun.objects.filter(started_at__lt=clock.now() - KEPT).delete()
    return deleted
