"""`manage.py change_time_zone`: have an organization's days cut in another time zone."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.db.locks import Busy
from aggregates.domain.formats import plural
from aggregates.management.arguments import find_organization
from aggregates.models.organization import validate_time_zone
from aggregates.rollup import protocol
from aggregates.rollup.recutting import CannotRecut, change_time_zone


class Command(BaseCommand):
    help = "Cut an organization's days in another time zone, from its first call on, while calls keep coming in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="the organization")
        parser.add_argument("time_zone", metavar="ZONE", help="IANA name, such as Europe/Berlin")

    def handle(self, *args: Any, slug: str, time_zone: str, **options: Any) -> None:
        organization = find_organization(slug)
        try:
            validate_time_zone(time_zone)
            change_time_zone(organization, time_zone)
        except ValidationError as error:
            raise CommandError(error.messages[0]) from None
        except CannotRecut as error:
            raise CommandError(str(error)) from None
        except Busy:
            raise CommandError("Usage is being recorded or rolled up just now. Try again in a minute.") from None
        self.stdout.write(f"{organization.name} now reports in {time_zone}. Every page shows that already.")
        done = protocol.roll_up(only=[organization.pk])
        self.stdout.write(f"Rolled up {plural(done.days, 'day')}, {plural(done.rows, 'row')} written.")
