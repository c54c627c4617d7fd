"""`manage.py normalize_usage`: give calls that an earlier version recorded the names and prices of today."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from aggregates.domain import money
from aggregates.domain.formats import plural
from aggregates.domain.texts import cut, named
from aggregates.ingest.correcting import Change, Criteria
from aggregates.ingest.normalizing import Outcome, normalize, preview
from aggregates.management.arguments import condition, find_organization, iso_date, left_alone
from aggregates.query.reports import aligned

MOST_NAMES = 100  # that are listed


class Command(BaseCommand):
    help = (
        "Write providers and operations of recorded calls by their one name, as they are recorded today, and price by "
        "it: shows what changes, by name and by month, and does it, day by day, with --apply."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", required=True)
        parser.add_argument("--from", dest="first", metavar="DATE", type=iso_date, help="first day, in its time zone")
        parser.add_argument("--to", dest="last", metavar="DATE", type=iso_date, help="last day, included")
        parser.add_argument(
            "--keep",
            metavar="DIMENSION=VALUE",
            type=condition,
            nargs="+",
            action="extend",
            default=[],
            help="leave a provider or operation as it is, such as operation=messages",
        )
        parser.add_argument("--apply", action="store_true", help="do it; without this it is only shown")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["organization"])
        criteria = Criteria(first=options["first"], last=options["last"])
        if criteria.first and criteria.last and criteria.first > criteria.last:
            raise CommandError("Expected --from not to be after --to.")
        for name, _ in options["keep"]:
            if name not in ("provider", "operation"):
                raise CommandError(f"--keep: expected provider=... or operation=..., got “{name}”.")
        applied = options["apply"]
        try:
            done = (normalize if applied else preview)(organization, criteria, options["keep"])
        except Error as error:
            reason = str(error).partition("\n")[0]
            rest = "Days that were done stay done; run it again." if applied else "Nothing was changed."
            raise CommandError(f"The database failed: {reason}. {rest}") from error
        self.report(done, applied)

    def report(self, done: Outcome, applied: bool) -> None:
        if done.kept:
            self.stdout.write(left_alone(done.kept))
        if not done.months:
            self.stdout.write("No call was changed." if applied else "No call would change.")
            return
        if done.names:
            self.stdout.write(names_of(done) + "\n")
        self.stdout.write(months_of(done))
        calls = plural(done.total.rows, "call" if not done.total.charges else "row")
        if applied:
            self.stdout.write(f"\n{calls} changed. Pages are right from now on; the days are soon rolled up again.")
        else:
            self.stdout.write(f"\n{calls} would change. Nothing was changed: --apply does it.")


def names_of(done: Outcome) -> str:
    lines = [["", "recorded as", "is", "calls"]]
    for renamed, calls in sorted(done.names.items())[:MOST_NAMES]:
        lines.append(
            [renamed.dimension, *(cut(named(each), 60) for each in (renamed.before, renamed.after)), f"{calls:,}"]
        )
    if (more := len(done.names) - MOST_NAMES) > 0:
        lines.append(["", f"and {more:,} more names", "", ""])
    return aligned(lines, left=3)


def months_of(done: Outcome) -> str:
    lines = [["month", "calls", "cost before", "after", "change", "unpriced before", "after"]]
    lines += [line(f"{month:%Y-%m}", change) for month, change in sorted(done.months.items())]
    return aligned([*lines, line("total", done.total)], left=1)


def line(month: str, change: Change) -> list[str]:
    before, after = money.stored(change.before), money.stored(change.after)
    costs = [f"{before:,f}", f"{after:,f}", f"{after - before:+,f}"]
    return [month, f"{change.rows:,}", *costs, f"{change.unpriced_before:,}", f"{change.unpriced_after:,}"]
