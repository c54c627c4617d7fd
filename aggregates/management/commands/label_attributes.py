"""`manage.py label_attributes`: which attributes of spans, and keys of LiteLLM's metadata, are kept as labels."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.accounts import organizations
from aggregates.domain.labels import check_attributes
from aggregates.management.arguments import find_organization


class Command(BaseCommand):
    help = "Show, or set, the attributes of spans and keys of LiteLLM's metadata that become labels of calls."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--set", dest="names", metavar="NAME", nargs="+", help="these, in place of those before")
        what.add_argument("--clear", dest="names", action="store_const", const=[], help="none")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["organization"])
        if options["names"] is not None:
            try:
                names = check_attributes(options["names"])
            except ValueError as error:
                raise CommandError(f"{error}.") from None
            organization.label_attributes = names
            organizations.change_settings(organization, ["label_attributes"])
        for name in organization.label_attributes:
            self.stdout.write(name)
        if not organization.label_attributes:
            self.stderr.write("No attributes are kept as labels.")
