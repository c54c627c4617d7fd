"""`manage.py remove_organization`: takes an organization out with all that it has, for ever."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from aggregates.db.locks import Busy
from aggregates.domain.formats import plural
from aggregates.models import Organization
from aggregates.rollup import removal

BUSY = (
    "Nothing is gone yet: calls are still being recorded. They come to an end, as new ones are refused by now: run it "
    "again."
)


class Command(BaseCommand):
    help = (
        "Remove an organization with its calls, sums, keys, files and members' places, for ever. It goes in small "
        "steps beside all others, can be interrupted, and goes on where it stopped when it is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="which organization")
        parser.add_argument("--noinput", action="store_true", help="do not ask whether it is meant")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["slug"]).first()
        if organization is None:
            raise CommandError(f"There is no organization “{options['slug']}”.")
        if not options["noinput"] and not self.confirm(organization):
            raise CommandError("Nothing was removed.")
        removal.ask(organization)
        rows = 0
        try:
            with tqdm(unit=" rows", desc=organization.slug, leave=False, disable=None) as bar:
                for deleted in removal.steps(organization):
                    rows += deleted
                    bar.update(deleted)
        except Busy:
            raise CommandError(BUSY) from None
        self.stdout.write(f"Removed {organization.name}, with {plural(rows, 'row')} of its log.")
        self.stdout.write(
            "Left are the accounts of its members, and what backups hold: those are to be removed as you keep them."
        )

    def confirm(self, organization: Organization) -> bool:
        """Ask for the slug, which nobody types by accident."""
        self.stdout.write(
            f"This removes {organization.name} with all its calls, sums, keys, files and members' places, for ever."
        )
        try:
            return input(f"To go on, type its slug, {organization.slug}: ").strip() == organization.slug
        except EOFError:
            return False
