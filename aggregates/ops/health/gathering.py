"""Reading the state of the site from its database, in one snapshot and with few statements."""

from datetime import UTC, datetime, timedelta

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Exists, Max, Min, OuterRef, Subquery, Sum
from django_q.models import Schedule

from aggregates.db.limits import TimedOut
from aggregates.db.partitions import missing_months_ahead
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import examine, is_there
from aggregates.models import RollUpRun, StaleDay, UsageDay, UsageLog
from aggregates.ops.disk import why_unwritable
from aggregates.ops.health.state import Backlog, Due, Health, LastRun, Work
from aggregates.ops.schedules import PLANS, is_put_off

ANSWER_WITHIN = 5  # seconds: a probe that waits for longer has its answer
STANDBY_WITHIN = 1  # second: whoever is behind for longer has stopped, or cannot keep up
MISMATCHES_SHOWN = timedelta(days=7)
PROBED = 1000  # newest days that are not rolled up: since when each has waited


def gather() -> Health:
    """Read the state. It never raises because of the database: that one does not answer is part of the state."""
    try:
        unwritable = why_unwritable(ANSWER_WITHIN)
        if UsageLog._meta.db_table not in connection.introspection.table_names():
            return Health(datetime.now(UTC), True, pending_migrations(), None, unwritable)
        with snapshot(ANSWER_WITHIN) as now:
            pending = pending_migrations()
            work = None if pending else _work(now)
        return Health(now, True, pending, work, unwritable, _standby())
    except (TimedOut, OperationalError, InterfaceError):
        return Health(datetime.now(UTC), False)


def _standby() -> str:
    """Say why the standby is not read; "" if it is, or there is none."""
    _, words = examine(STANDBY_WITHIN) if is_there() else (None, "")
    return words


def pending_migrations() -> tuple[str, ...]:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return tuple(f"{migration.app_label}.{migration.name}" for migration, _ in plan)


def _work(now: datetime) -> Work:
    return Work(
        missing_partitions=tuple(missing_months_ahead(now)),
        unrolled=_unrolled(),
        stale=_stale(),
        lost=_lost(),
        due=_due(now),
        last_runs=_last_runs(),
        mismatches=RollUpRun.objects.filter(started_at__gte=now - MISMATCHES_SHOWN).aggregate(
            found=Sum("mismatches", default=0)
        )["found"],
    )


def _unrolled() -> Backlog:
    """Find closed days that are not rolled up: open days are none of the backlog."""
    counted = UsageDay.objects.not_rolled().aggregate(days=Count("*"), oldest=Min("date"))
    return Backlog(**counted, since=_waiting_since() if counted["days"] else None)


def _waiting_since() -> datetime | None:
    """Find since when the longest waiting of the newest has waited: since its end, or since it was recorded.

    A day that was imported just now has not waited since it ended. Its first call tells when that was.
    """
    first_call = UsageLog.objects.filter(
        organization=OuterRef("organization"), timestamp__gte=OuterRef("starts_at"), timestamp__lt=OuterRef("ends_at")
    ).order_by("timestamp")
    newest = (
        UsageDay.objects.not_rolled()
        .annotate(received_at=Subquery(first_call.values("received_at")[:1]))
        .order_by("-date")
    )
    waits = newest.values_list("ends_at", "received_at")[:PROBED]
    return min((max(ends_at, received_at or ends_at) for ends_at, received_at in waits), default=None)


def _stale() -> Backlog:
    """Marks of kept days wait for nothing."""
    kept = UsageDay.objects.kept().filter(organization=OuterRef("organization"), date=OuterRef("date"))
    waiting = StaleDay.objects.filter(~Exists(kept)).order_by()
    marked = waiting.values("organization", "date").annotate(first_mark=Min("marked_at"))
    return Backlog(**marked.aggregate(days=Count("*"), oldest=Min("date"), since=Min("first_mark")))


def _lost() -> Backlog:
    return Backlog(**UsageDay.objects.alarming().aggregate(days=Count("*"), oldest=Min("date"), since=Min("kept_at")))


def _due(now: datetime) -> tuple[Due, ...]:
    """List our tasks that are scheduled to run again."""
    plans = {plan.func: plan for plan in PLANS}
    ours = Schedule.objects.filter(func__startswith="aggregates.").exclude(repeats=0).order_by("name")
    return tuple(
        Due(name, next_run, func in plans and is_put_off(plans[func], next_run, now))
        for name, func, next_run in ours.values_list("name", "func", "next_run")
        if next_run
    )


def _last_runs() -> tuple[LastRun, ...]:
    succeeded = dict(
        RollUpRun.objects.filter(error="", finished_at__isnull=False)
        .order_by()
        .values_list("job")
        .annotate(Max("finished_at"))
    )
    return tuple(
        LastRun(
            job=run.job,
            started_at=run.started_at,
            finished_at=run.finished_at,
            failed=bool(run.error),
            days=run.days,
            rows=run.rows,
            compared=run.compared,
            mismatches=run.mismatches,
            succeeded_at=succeeded.get(run.job),
        )
        for run in RollUpRun.objects.order_by("job", "-started_at").distinct("job")
    )
