"""The state of the site as one value, without any organization's name in it."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """Days that wait for a roll-up: how many, which is the oldest, and since when the first of them has waited."""

    days: int = 0
    oldest: date | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A task of the cluster, and when it is to start next; `put_off`: later than it should ever be."""

    name: str
    next_run: datetime
    put_off: bool = False


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a job in the history, and when one last ended well."""

    job: str
    started_at: datetime
    finished_at: datetime | None
    failed: bool
    days: int
    rows: int
    compared: int
    mismatches: int
    succeeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Work:
    """What the tables say. `lost`: days that are kept because they lost calls, and nobody has accepted that.
    `mismatches`: days that were found to differ from the log in the last seven days."""

    missing_partitions: tuple[str, ...] = ()
    unrolled: Backlog = Backlog()
    stale: Backlog = Backlog()
    lost: Backlog = Backlog()
    due: tuple[Due, ...] = ()
    last_runs: tuple[LastRun, ...] = ()
    mismatches: int = 0

    def last_run(self, job: str) -> LastRun | None:
        return next((run for run in self.last_runs if run.job == job), None)


@dataclass(frozen=True, slots=True)
class Health:
    """`work` is None where it cannot be read: the database does not answer, or tables are not as the code has them.
    `unwritable`: why nothing can be written, in words; `standby`: why the standby is not read; "" where all is well."""

    as_of: datetime
    database: bool
    pending_migrations: tuple[str, ...] = ()
    work: Work | None = None
    unwritable: str = ""
    standby: str = ""
