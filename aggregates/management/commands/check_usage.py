"""`manage.py check_usage`: the state of the site in words, and a comparison of some days with the log."""

from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from aggregates.domain.formats import plural
from aggregates.domain.wallclock import day_words, when
from aggregates.models import Job
from aggregates.ops import health
from aggregates.ops.health import Backlog, Health, LastRun, Work
from aggregates.rollup import runs, verification

DEFAULT_DAYS = verification.NEWEST + 3


def number_of_days(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"expected a number of days, got “{text}”")
    return int(text)


class Command(BaseCommand):
    help = "Say whether the site does its work, compare some days with the log, and repair what differs."
    requires_system_checks: list[str] = []  # Django's of models ask the database for its version, and it may be down

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--verify",
            metavar="N",
            type=number_of_days,
            default=DEFAULT_DAYS,
            help=f"compare so many dates with the log: the newest closed ones, at most {verification.NEWEST}, and "
            f"older ones drawn by lot (default: {DEFAULT_DAYS}; 0 compares nothing)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        state = health.gather()
        found = health.judge(state, health.rolled_within())
        for line in lines_of(state):
            self.stdout.write(line)
        differed = self.verify(options["verify"]) if state.work and options["verify"] else 0
        for problem in found:
            self.stdout.write(f"PROBLEM ({problem.check}): {problem.words}")
        if found or differed:
            wrong = [plural(len(found), "problem")] if found else []
            wrong += [f"{plural(differed, 'day')} differed from the log"] if differed else []
            raise CommandError(f"{', '.join(wrong)}; docs/operations.md says what to do.")
        self.stdout.write("Nothing is wrong.")

    def verify(self, number: int) -> int:
        """Compare so many dates with the log, and return how many days differed."""
        with runs.record_run(Job.COMMAND) as run:
            chosen = verification.choose(number)
            with tqdm(total=len(chosen), unit=" days", leave=False, disable=None) as bar:

                def tick(day: date) -> None:
                    bar.update()

                verified = verification.verify(chosen, tick)
            runs.add_verified(run, verified)
        for difference in verified.differences:
            self.stdout.write(f"DIFFERED: {difference}")
        if not verified.differences:
            self.stdout.write(f"Compared {plural(verified.days, 'day')} with the log: equal.")
        return len(verified.differences)


def lines_of(state: Health) -> list[str]:
    if not state.database:
        return ["Database: does not answer."]
    if state.work is None:
        return ["Database: answers.", f"Migrations not applied: {', '.join(state.pending_migrations)}."]
    work = state.work
    missing = f"missing {', '.join(work.missing_partitions)}" if work.missing_partitions else ""
    return [
        "Database: answers, all migrations applied.",
        f"Partitions of this month and the next: {missing or 'all there'}.",
        f"Closed days not rolled up: {backlog_words(state, work.unrolled)}.",
        f"Days with late calls to roll up again: {backlog_words(state, work.stale)}.",
        *task_lines(state, work),
    ]


def backlog_words(state: Health, backlog: Backlog) -> str:
    if not (backlog.oldest and backlog.since):
        return "none"
    since = when(backlog.since, "UTC", state.as_of)
    return f"{backlog.days:,}, the oldest {day_words(backlog.oldest)}, waiting since {since}"


def task_lines(state: Health, work: Work) -> list[str]:
    due = [f"Task “{due.name}”: next due {when(due.next_run, 'UTC', state.as_of)}." for due in work.due]
    return [*due, *(f"Last {run.job} run: {run_words(state, run)}." for run in work.last_runs)]


def run_words(state: Health, run: LastRun) -> str:
    started = when(run.started_at, "UTC", state.as_of)
    if run.finished_at is None:
        return f"{started}, not finished"
    took = f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
    done = f"{plural(run.days, 'day')} rolled up, {run.compared:,} compared, {run.mismatches:,} differed"
    return f"{started}, {took}, {'failed' if run.failed else 'ended well'}: {done}"
