"""`manage.py usage_report`: what an organization used, from the same source as the pages."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.formats import plural
from aggregates.domain.measures import RANKS
from aggregates.management.arguments import condition, find_organization, iso_date
from aggregates.query import reports
from aggregates.query.answer import Answer
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery

FORMATS = {"table": reports.as_table, "json": reports.as_json, "csv": reports.as_csv}


class Command(BaseCommand):
    help = "Show what an organization used: calls, cost and tokens, by hour, day, week, month or in total."

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(BY_NAME)
        parser.add_argument("--organization", metavar="SLUG", required=True)
        parser.add_argument(
            "--from", dest="first", metavar="DATE", type=iso_date, required=True, help="first day, in its time zone"
        )
        parser.add_argument(
            "--to", dest="last", metavar="DATE", type=iso_date, required=True, help="last day, included"
        )
        parser.add_argument("--bucket", choices=[*Bucket], default=Bucket.DAY.value, help="default: day")
        parser.add_argument("--by", metavar="DIMENSION", help=f"break down by one of {names}")
        parser.add_argument("--subgroup", metavar="DIMENSION", help="break down each of these groups by another one")
        parser.add_argument(
            "--filter",
            dest="filters",
            metavar="DIMENSION=VALUE",
            type=condition,
            nargs="+",
            action="extend",
            default=[],
            help="only calls with this value; with several of one dimension, calls with any of them",
        )
        parser.add_argument(
            "--exclude",
            dest="excluded",
            metavar="DIMENSION=VALUE",
            type=condition,
            nargs="+",
            action="extend",
            default=[],
            help="without calls that have this value",
        )
        parser.add_argument("--rank", choices=RANKS, default="cost", help="what groups are ordered by (default: cost)")
        parser.add_argument(
            "--latency",
            action="store_true",
            help="also how long calls took that tell that and did not fail: percentiles as the bucket they are in",
        )
        parser.add_argument(
            "--source",
            choices=[*Source],
            default=Source.AUTO.value,
            help="where to read; the numbers are the same (default: auto)",
        )
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default="table",
            help="table for people (default); json and csv for programs, with keys exactly as recorded",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        answer = self.answer(**options)
        self.stdout.write(FORMATS[options["format"]](answer))
        if options["format"] == "csv" and (risky := reports.formula_keys(answer)):
            keys = plural(len(risky), "key")
            self.stderr.write(
                f"{keys} in this file, such as {risky[0]!r}, may look like a formula to a spreadsheet: "
                "import the columns of keys as text."
            )

    def answer(self, organization: str, filters: list[tuple[str, str]], **options: Any) -> Answer:
        by = tuple(name for name in (options["by"], options["subgroup"]) if name)
        if options["subgroup"] and not options["by"]:
            raise CommandError("--subgroup: expected --by, too: groups have subgroups.")
        try:
            query = UsageQuery.for_dates(
                find_organization(organization),
                options["first"],
                options["last"],
                bucket=Bucket(options["bucket"]),
                by=by,
                filters=tuple(filters),
                excluded=tuple(options["excluded"]),
                rank=options["rank"],
                source=Source(options["source"]),
                with_latency=options["latency"],
            )
            return read([query])[query]
        except QueryError as error:
            raise CommandError(str(error)) from error
