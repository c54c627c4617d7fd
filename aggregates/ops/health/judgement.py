"""What is wrong with the site, in words, given its state."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from aggregates.domain.formats import plural
from aggregates.domain.wallclock import day_words, when
from aggregates.models import Job
from aggregates.ops.health.gathering import gather
from aggregates.ops.health.state import Health, LastRun, Work

STALE_PATIENCE = timedelta(hours=2)  # the repair of late calls runs every few minutes
START_PATIENCE = timedelta(minutes=15)  # a task cluster looks for what is due every half a minute
LONGEST_RUN = timedelta(hours=2)
REPAIR_PATIENCE = timedelta(hours=1)  # a repair that finds nothing to do leaves no trace, so a failure fades


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and whether the site is therefore not ready."""

    check: str
    words: str
    unready: bool = True


def problems() -> tuple[Problem, ...]:
    """List what is wrong now."""
    return judge(gather(), rolled_within())


def rolled_within() -> timedelta:
    return timedelta(hours=settings.ROLLED_WITHIN_HOURS)


def is_ready(found: tuple[Problem, ...]) -> bool:
    return not any(problem.unready for problem in found)


def judge(health: Health, within: timedelta) -> tuple[Problem, ...]:
    """Judge the state; `within` is how long after its end a day may wait for its roll-up."""
    if not health.database:
        return (Problem("database", "The database does not answer."),)
    written = (Problem("writable", health.unwritable),) if health.unwritable else ()
    if health.pending_migrations or health.work is None:
        number = plural(len(health.pending_migrations), "migration")
        return (*written, Problem("migrations", f"{number} not applied: run manage.py migrate."))
    work = health.work
    found = tuple(problem for check in JUDGES for problem in check(work, health.as_of, within))
    return (*written, *_standby(health), *found)


def _standby(health: Health) -> Iterator[Problem]:
    if health.standby:
        words = f"Reads come from the primary: the standby {health.standby}."
        yield Problem("standby", words, unready=False)


def _partitions(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    if work.missing_partitions:
        missing = ", ".join(work.missing_partitions)
        yield Problem("partitions", f"Partitions of the log are not made ahead: {missing}.")


def _rolled_up(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    waiting = work.unrolled
    if waiting.oldest and waiting.since and waiting.since < as_of - within:
        yield Problem(
            "rolled_up",
            f"{plural(waiting.days, 'closed day')} not rolled up, the oldest {day_words(waiting.oldest)}; "
            f"the first waits since {when(waiting.since, 'UTC', as_of)}.",
        )


def _stale(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    waiting = work.stale
    if waiting.oldest and waiting.since and waiting.since < as_of - STALE_PATIENCE:
        yield Problem(
            "stale",
            f"{plural(waiting.days, 'day')} not rolled up again after late calls, the oldest "
            f"{day_words(waiting.oldest)}; the first waits since {when(waiting.since, 'UTC', as_of)}.",
        )


def _lost(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    lost = work.lost
    if lost.oldest and lost.since:
        yield Problem(
            "lost",
            f"{plural(lost.days, 'day')} lost calls from the log, the oldest {day_words(lost.oldest)}, the first seen "
            f"{when(lost.since, 'UTC', as_of)}: the sums are kept. manage.py kept_days names and accepts them.",
            unready=False,
        )


def _tasks(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    for due in work.due:
        if due.put_off:
            planned = when(due.next_run, "UTC", as_of)
            yield Problem(
                "tasks",
                f"The task “{due.name}” is put off until {planned}, by a clock that was wrong: a task cluster "
                "sets that right within a minute.",
                unready=False,
            )
        if due.next_run < as_of - START_PATIENCE:
            since = when(due.next_run, "UTC", as_of)
            yield Problem(
                "tasks", f"The task “{due.name}” is due since {since}: is the task cluster running?", unready=False
            )


def _runs(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    nightly, repair = work.last_run(Job.NIGHTLY), work.last_run(Job.REPAIR)
    if nightly and nightly.started_at < as_of - within:
        yield Problem("runs", f"The last nightly run was {when(nightly.started_at, 'UTC', as_of)}.", unready=False)
    elif nightly and (words := _ended_badly(nightly, as_of)):
        yield Problem("runs", words, unready=False)
    if repair and repair.started_at > as_of - LONGEST_RUN - REPAIR_PATIENCE and (words := _ended_badly(repair, as_of)):
        yield Problem("runs", words, unready=False)


def _ended_badly(run: LastRun, as_of: datetime) -> str:
    started = when(run.started_at, "UTC", as_of)
    if run.failed:
        return f"The last {run.job} run, of {started}, failed."
    if run.finished_at is None and run.started_at < as_of - LONGEST_RUN:
        return f"The last {run.job} run, of {started}, did not come to its end."
    return ""


def _verified(work: Work, as_of: datetime, within: timedelta) -> Iterator[Problem]:
    if work.mismatches:
        yield Problem(
            "verified",
            f"{plural(work.mismatches, 'day')} found to differ from the log in the last 7 days: "
            "the history of runs says which, and what became of them.",
            unready=False,
        )


Judge = Callable[[Work, datetime, timedelta], Iterator[Problem]]
JUDGES: tuple[Judge, ...] = (_partitions, _rolled_up, _stale, _lost, _tasks, _runs, _verified)
CHECKS = (
    *("database", "writable", "standby", "migrations", "partitions", "rolled_up", "stale", "lost", "tasks", "runs"),
    "verified",
)
