"""What the task cluster runs: rolling up every night, and again where calls came late.

Neither task takes a date: both find their work in the database, so one run makes up for any number that were missed.
"""

from datetime import date

from aggregates import rollup, runs, verification
from aggregates.formats import plural
from aggregates.models import Job, RollUpRun
from aggregates.partitions import ensure_months_ahead

COMPARED = verification.NEWEST + 3  # dates compared with the log every night


def nightly() -> str:
    """Roll up every closed day that is not clean, make the partitions of the months to come, and compare with the log.

    A date that fails does not keep the others from being done; the task then fails at its end.
    """
    with runs.recorded(Job.NIGHTLY) as run:
        failures = runs.Failures()
        words = [roll_up(run, failures)]  # first: making partitions may have to wait for a long import
        if made := ensure_months_ahead(rollup.now()):
            words.append(f"{plural(len(made), 'partition')} made")
        verified = verification.verify(verification.choose(COMPARED))
        runs.note_verified(run, verified)
        if verified.differences:
            words.append(f"{plural(len(verified.differences), 'day')} differed from the log")
        runs.prune()
        failures.raise_any()
    return "; ".join(words)


def repair() -> str:
    """Roll up what has closed or become stale since, and of the open days what was recorded since."""
    with runs.recorded(Job.REPAIR) as run:
        failures = runs.Failures()
        words = roll_up(run, failures)
        failures.raise_any()
    return words


def roll_up(run: RollUpRun, failures: runs.Failures) -> str:
    """What was done, for the list of runs in the admin."""
    done = rollup.roll_up(open_days=True, on_error=failures)
    runs.note(run, done)
    summary = f"{plural(done.days, 'day')}, {plural(done.rows, 'row')}"
    return f"{summary}; busy: {', '.join(map(date.isoformat, done.busy))}" if done.busy else summary
