"""`manage.py kept_days`: the days whose calls are missing from the log, and what is to become of them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from aggregates.db.kept_days import accept, release
from aggregates.db.partitions import hold_log
from aggregates.domain.formats import plural
from aggregates.management.arguments import find_organization, iso_date
from aggregates.models import UsageDay


class Command(BaseCommand):
    help = "List the days whose calls are missing from the log, so that their sums are kept; accept or release them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this one (default: all)")
        parser.add_argument("--from", dest="first", metavar="DATE", type=iso_date, help="first day")
        parser.add_argument("--to", dest="last", metavar="DATE", type=iso_date, help="last day, included")
        parser.add_argument("--accepted", action="store_true", help="those, too, that were accepted")
        parser.add_argument("--accept", action="store_true", help="accept that their calls are lost: no more alarm")
        parser.add_argument(
            "--release",
            action="store_true",
            help="their calls were brought back: let the log count again, where it holds as many as were summed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["accept"] and options["release"]:
            raise CommandError("Either --accept or --release.")
        days = UsageDay.objects.kept() if options["accepted"] else UsageDay.objects.alarming()
        if options["organization"]:
            days = days.filter(organization=find_organization(options["organization"]))
        if options["first"]:
            days = days.filter(date__gte=options["first"])
        if options["last"]:
            days = days.filter(date__lte=options["last"])
        if options["accept"]:
            self.stdout.write(f"Accepted {plural(accept(days), 'day')}.")
            return
        found = list(days.select_related("organization").order_by("date", "organization__slug"))
        for day in found:
            words = day.get_kept_reason_display()
            if options["release"]:
                with transaction.atomic():
                    hold_log()
                    words = "read from the log again" if release(day) else f"stays: {words}"
            self.stdout.write(f"{day.organization.slug} {day.date}: {words}")
        if not found:
            self.stdout.write("There is no such day.")
