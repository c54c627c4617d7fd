"""`manage.py aggregate_day`: roll days up by hand, and compare aggregates with the log."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.db.models import QuerySet
from tqdm import tqdm

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.formats import plural
from aggregates.management.arguments import find_organization, iso_date
from aggregates.models import Job, Organization, RollUpRun, State, Stated, UsageDay
from aggregates.rollup import day_sums, protocol, runs

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


@dataclass
class Part:
    """Organizations whose days from first to last are rolled up together."""

    first: date
    last: date
    organizations: list[int] = field(default_factory=list)

    def recorded(self) -> "QuerySet[WithAnnotations[UsageDay, Stated]]":
        chosen = UsageDay.objects.filter(organization__in=self.organizations, date__range=(self.first, self.last))
        return chosen.with_state()

    def states(self) -> Counter[str]:
        """Count days with recorded calls, by state."""
        return Counter(self.recorded().values_list("state", flat=True))

    def dates(self, *states: str) -> list[date]:
        """List the dates of days in one of these states, oldest first."""
        recorded = self.recorded().filter(state__in=states)
        return list(recorded.order_by("date").values_list("date", flat=True).distinct())


class Command(BaseCommand):
    help = "Roll days up into the daily aggregates: a date, a span, or yesterday in each organization's time zone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("date", nargs="?", type=iso_date, help="such as 2025-03-09 (default: yesterday)")
        parser.add_argument("--from", dest="first", metavar="DATE", type=iso_date, help="first day of a span")
        parser.add_argument("--to", dest="last", metavar="DATE", type=iso_date, help="last day of a span, included")
        parser.add_argument("--organization", metavar="SLUG", help="only this one (default: all)")
        parser.add_argument("--force", action="store_true", help="roll up again what is rolled up already")
        parser.add_argument(
            "--verify", action="store_true", help="compare the aggregates with the log; fails if they differ"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        span = span_of(options["date"], options["first"], options["last"])
        slug = options["organization"]
        organizations = [find_organization(slug)] if slug else list(Organization.objects.in_use().order_by("slug"))
        if not organizations:
            raise CommandError("There is no organization yet: create_organization makes one.")
        now = clock.now()
        if span:
            self.say_not_over(organizations, span[1], now)
        parts = parts_of(organizations, span, now)
        try:
            with runs.record_run(Job.COMMAND) as run:
                self.roll_up(run, parts, options["force"], show_progress=bool(options["first"]))
                if options["verify"]:
                    self.verify(run, parts, {organization.pk: organization.slug for organization in organizations})
        except Error as error:
            reason = str(error).partition("\n")[0]
            raise CommandError(f"The database failed: {reason}. What was rolled up before stays.") from error

    def say_not_over(self, organizations: list[Organization], last: date, now: datetime) -> None:
        """Name the zones in which the last day is not over; refuse if it is over in none."""
        waiting: dict[str, list[str]] = defaultdict(list)
        for organization in organizations:
            if newest_closed(organization.time_zone, now) < last:
                waiting[organization.time_zone].append(organization.slug)
        lines = [
            f"{last} is not over yet in {zone} ({shorten(slugs)}): "
            f"the newest closed day there is {newest_closed(zone, now)}."
            for zone, slugs in sorted(waiting.items())
        ]
        if sum(map(len, waiting.values())) == len(organizations):
            raise CommandError("\n".join(lines))
        for line in lines:
            self.stderr.write(line)

    def roll_up(self, run: RollUpRun, parts: list[Part], force: bool, show_progress: bool) -> None:
        known: Counter[str] = sum((part.states() for part in parts), Counter())
        states = [State.STALE, State.NOT_ROLLED, *([State.CLEAN] if force else [])]
        work = [(part, part.dates(*states)) for part in parts]
        done = protocol.Summary()
        with tqdm(
            total=sum(len(dates) for _, dates in work),
            unit=" days",
            leave=False,
            disable=None if show_progress else True,  # None: on a terminal only
        ) as bar:

            def tick(day: date) -> None:
                bar.update()

            for part, dates in work:
                done.add(protocol.roll_up(only=part.organizations, dates=set(dates), force=force, on_day=tick))
        runs.add_counts(run, done)
        self.stdout.write(closing_line(done, known, force))
        if done.busy:
            raise CommandError(
                f"Not rolled up, because calls of these days are being recorded right now: "
                f"{', '.join(map(str, done.busy))}. Try again in a moment."
            )

    def verify(self, run: RollUpRun, parts: list[Part], slugs: dict[int, str]) -> None:
        mismatches: list[day_sums.Mismatch] = []
        compared = 0
        for part in parts:
            for day in tqdm(part.dates(State.CLEAN), unit=" days", leave=False, disable=None):
                chosen = UsageDay.objects.filter(organization__in=part.organizations, date=day)
                compared += chosen.comparable().count()
                mismatches += day_sums.verify(day, part.organizations)
        differing = {(found.organization_id, found.date) for found in mismatches}
        run.compared, run.mismatches = compared, len(differing)
        lines = [
            f"{slugs[one.organization_id]} {one.date} {one.grain}: {plural(one.rows, 'row')} differ from the log"
            for one in mismatches
        ]
        run.differences = "\n".join(lines)
        for line in lines:
            self.stdout.write(line)
        if mismatches:
            raise CommandError(f"{len(differing):,} of {plural(compared, 'day')} differ from the log.")
        if compared:
            self.stdout.write(f"Compared {plural(compared, 'day')} with the log: equal.")
        else:
            self.stdout.write("Nothing to compare: no day is rolled up and its calls still kept.")


def span_of(day: date | None, first: date | None, last: date | None) -> tuple[date, date] | None:
    """Return the first and last day asked for; None for yesterday, which is not the same date everywhere."""
    if day and (first or last):
        raise CommandError("Give a date, or a span with --from and --to, and not both.")
    if day:
        return day, day
    if not first and not last:
        return None
    if not first or not last:
        raise CommandError("--from and --to go together.")
    if first > last:
        raise CommandError(f"The span ends before it begins: {first} is after {last}.")
    return first, last


def newest_closed(zone: str, now: datetime) -> date:
    return days.date_of(now, zone) - days.DAY


def parts_of(organizations: list[Organization], span: tuple[date, date] | None, now: datetime) -> list[Part]:
    """Split the work: a span is one part, as a roll-up leaves out what is not over; yesterday is one for each date."""
    if span:
        return [Part(*span, [organization.pk for organization in organizations])]
    parts: dict[date, Part] = {}
    for organization in organizations:
        yesterday = newest_closed(organization.time_zone, now)
        parts.setdefault(yesterday, Part(yesterday, yesterday)).organizations.append(organization.pk)
    return [parts[day] for day in sorted(parts)]


def closing_line(done: protocol.Summary, known: Counter[str], force: bool) -> str:
    already = 0 if force else known[State.CLEAN]
    again = f"{plural(already, 'day')} already rolled up (--force rolls up again)"
    if done.days:
        line = f"Rolled up {plural(done.days, 'day')}, {plural(done.rows, 'row')} written"
        return f"{line}; {again}." if already else f"{line}."
    if already:
        return f"Nothing to do: {again}."
    if done.busy:
        return "Nothing was rolled up."
    return "There was no usage: nothing to write."


def shorten(slugs: list[str]) -> str:
    return ", ".join(slugs[:5]) + (f" and {len(slugs) - 5} more" if len(slugs) > 5 else "")
