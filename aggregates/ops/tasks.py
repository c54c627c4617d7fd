"""The tasks of the task cluster: it rolls up every night, and again where calls came late.

Neither task takes a date: both find their work in the database, so one run makes up for any number that were missed.
"""

from datetime import date

from django.conf import settings

from aggregates.accounts import attempts, invitations, open_sessions
from aggregates.accounts.sessions import SessionStore
from aggregates.db import audit, clock
from aggregates.db.locks import Busy
from aggregates.db.partitions import ensure_months_ahead, identify_rows
from aggregates.domain.formats import plural
from aggregates.ingest import forget_reports
from aggregates.ingest.arrivals import forget_arrivals
from aggregates.models import Job, RollUpRun
from aggregates.ops import imports, removals, repricings, time_zones
from aggregates.query import stored_selections
from aggregates.rollup import hours, protocol, retention, runs, verification
from aggregates.rollup.recutting import recut_moved

RENEWED = 10  # dates that a repair rolls up again because their aggregates lack what they hold today
COMPARED = verification.NEWEST + 3  # dates compared with the log every night


def nightly() -> str:
    """Roll up every closed day that is not clean, make the partitions of the months to come, and compare with the log.

    A date that fails does not keep the others from being done; the task then fails at its end.
    """
    with runs.record_run(Job.NIGHTLY) as run:
        failures = runs.Failures()
        words = [*recut(), roll_up(run, failures)]  # first: making partitions may have to wait for a long import
        if made := ensure_months_ahead(clock.now()):
            words.append(f"{plural(len(made), 'partition')} made")
        identify_rows()
        verified = verification.verify(verification.choose(COMPARED))
        runs.add_verified(run, verified)
        if verified.differences:
            words.append(f"{plural(len(verified.differences), 'day')} differed from the log")
        words += drop_old_months()
        hours.prune()
        runs.prune()
        forget_arrivals()
        SessionStore.clear_expired()
        open_sessions.forget()
        stored_selections.forget()
        invitations.forget()
        audit.forget()
        repricings.forget()
        failures.raise_any()
    return "; ".join(words)


def repair() -> str:
    """Roll up what has closed or become stale since, and of the open days what was recorded since; then renew some days
    whose aggregates are of an older version."""
    with runs.record_run(Job.REPAIR) as run:
        failures = runs.Failures()
        words = roll_up(run, failures)
        renewed = protocol.renew(RENEWED, on_error=failures)
        runs.add_counts(run, renewed)
        if renewed.days:
            words += f"; {plural(renewed.days, 'day')} renewed"
        forget_reports()
        attempts.forget()
        imports.tidy()
        repricings.tidy()
        removals.go_on()
        time_zones.go_on()
        failures.raise_any()
    return words


def recut() -> list[str]:
    """Cut days anew where the rules of a time zone changed; say whose, in words."""
    try:
        moved = recut_moved()
    except Busy:
        return ["days of a time zone that changed could not be cut anew: usage is being recorded"]
    return [f"days of {', '.join(organization.slug for organization in moved)} cut anew"] if moved else []


def drop_old_months() -> list[str]:
    """Drop old months of the log, if calls are not kept for ever; say which went and which could not, in words."""
    if not settings.KEEP_MONTHS:
        return []
    dropped = retention.drop_months(settings.KEEP_MONTHS, clock.now())
    named = ", ".join(f"{month:%Y-%m}" for month in dropped.months)
    return [f"calls of {named} dropped"] * bool(dropped.months) + [dropped.refusal] * bool(dropped.refusal)


def roll_up(run: RollUpRun, failures: runs.Failures) -> str:
    """Roll up what is not clean; say what was done, for the list of runs in the admin."""
    done = protocol.roll_up(open_days=True, on_error=failures)
    runs.add_counts(run, done)
    summary = f"{plural(done.days, 'day')}, {plural(done.rows, 'row')}"
    return f"{summary}; busy: {', '.join(map(date.isoformat, done.busy))}" if done.busy else summary
