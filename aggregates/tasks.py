"""What the task cluster runs: rolling up every night, and again where calls came late.

Neither task takes a date: both find their work in the database, so one run makes up for any number that were missed.
"""

from datetime import UTC, date, timedelta

from django.conf import settings

from aggregates import retention, rollup
from aggregates.formats import plural
from aggregates.partitions import ensure_partitions, months

TWO_MONTHS = timedelta(days=62)  # from the first of any month, this is in the month after the next


def nightly() -> str:
    """Roll up every closed day that is not clean, and make the partitions of this month and the next two."""
    done = roll_up()  # first: making partitions may have to wait for a long import
    month = rollup.now().astimezone(UTC).date().replace(day=1)
    made = ensure_partitions(months(month, month + TWO_MONTHS))
    return "; ".join([done, *([f"{plural(len(made), 'partition')} made"] if made else []), *drop_old_months()])


def repair() -> str:
    """Roll up what has closed or become stale since, and of the open days what was recorded since."""
    return roll_up()


def drop_old_months() -> list[str]:
    """Which months of the log were dropped, if calls are not kept for ever, and which could not be."""
    if not settings.KEEP_MONTHS:
        return []
    dropped = retention.drop_months(settings.KEEP_MONTHS, rollup.now())
    named = ", ".join(f"{month:%Y-%m}" for month in dropped.months)
    return [f"calls of {named} dropped"] * bool(dropped.months) + [dropped.refusal] * bool(dropped.refusal)


def roll_up() -> str:
    """What was done, for the list of runs in the admin."""
    done = rollup.roll_up(open_days=True)
    summary = f"{plural(done.days, 'day')}, {plural(done.rows, 'row')}"
    return f"{summary}; busy: {', '.join(map(date.isoformat, done.busy))}" if done.busy else summary
