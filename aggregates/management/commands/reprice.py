"""`manage.py reprice`: price recorded calls anew, after prices were added or changed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from aggregates.domain import money
from aggregates.domain.calls import InvalidCall
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.formats import plural
from aggregates.ingest.correcting import Change
from aggregates.ingest.repricing import COMPUTED, Repriced, preview, reprice
from aggregates.management.arguments import condition, find_organization, iso_date, left_alone
from aggregates.management.commands.correct_usage import criteria_of
from aggregates.models.log import CostSource
from aggregates.query.reports import aligned

MORE = tuple(source.value for source in CostSource if source not in COMPUTED)


class Command(BaseCommand):
    help = "Price recorded calls anew: shows the difference by month and model, and makes it with --apply."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", required=True)
        parser.add_argument("--from", dest="first", metavar="DATE", type=iso_date, help="first day, in its time zone")
        parser.add_argument("--to", dest="last", metavar="DATE", type=iso_date, help="last day, included")
        parser.add_argument(
            "--filter",
            dest="filters",
            metavar="DIMENSION=VALUE",
            type=condition,
            nargs="+",
            action="extend",
            default=[],
            help=f"one of {', '.join(BY_NAME)}; an empty value means unknown",
        )
        parser.add_argument(
            "--also",
            choices=MORE,
            nargs="+",
            action="extend",
            default=[],
            help="replace costs of these sources too: as the sender reported them, or as a correction gave them",
        )
        parser.add_argument("--apply", action="store_true", help="do it; without this it is only shown")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["organization"])
        criteria = criteria_of(request_id=[], status=None, cost_source=None, kind=None, **options)
        sources = (*COMPUTED, *options["also"])
        try:
            done = (reprice if options["apply"] else preview)(organization, criteria, sources)
        except InvalidCall as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        except Error as error:
            reason = str(error).partition("\n")[0]
            raise CommandError(f"The database failed: {reason}. Nothing was changed.") from error
        if done.kept:
            self.stdout.write(left_alone(done.kept))
        if not done.changes:
            self.stdout.write("No call would change." if not options["apply"] else "No call was changed.")
            return
        self.stdout.write(as_table(done))
        calls = plural(done.total.calls, "call")
        if options["apply"]:
            self.stdout.write(f"\n{calls} repriced. Pages are right from now on; the days are soon rolled up again.")
        else:
            self.stdout.write(f"\n{calls} would be repriced. Nothing was changed: --apply does it.")


def as_table(done: Repriced) -> str:
    lines = [["month", "model", "calls", "cost before", "after", "change", "unpriced before", "after"]]
    lines += [line(f"{month:%Y-%m}", model, change) for (month, model), change in sorted(done.changes.items())]
    return aligned([*lines, line("total", "", done.total)], left=2)


def line(month: str, model: str, change: Change) -> list[str]:
    before, after = money.stored(change.before), money.stored(change.after)
    costs = [f"{before:,f}", f"{after:,f}", f"{after - before:+,f}"]
    return [month, model, f"{change.calls:,}", *costs, f"{change.unpriced_before:,}", f"{change.unpriced_after:,}"]
