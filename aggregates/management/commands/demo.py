"""`manage.py demo`: fills an empty site with usage to look at, and removes that again."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from aggregates.db import clock
from aggregates.db.locks import Busy
from aggregates.domain import days
from aggregates.models import Organization
from aggregates.ops.demo import first_day, login, make_demo, removal
from aggregates.ops.demo.cast import STORIES

BUSY = "Nothing is gone yet: calls are being recorded. They come to an end, as new ones are refused: run it again."


class Command(BaseCommand):
    help = "Where there is no organization yet, make three with 13 months of usage up to now, and a login."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="remove the demo again, with all its rows")
        parser.add_argument("--noinput", action="store_true", help="do not ask whether it is meant")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"]:
            self.remove(ask=not options["noinput"])
        elif Organization.objects.exists():
            self.stdout.write("There are organizations already: no demo data was made.")
            self.tell(again=True)
        else:
            self.make()

    def make(self) -> None:
        now = clock.now()
        told = (now.date() - first_day(now)) // days.DAY + 1
        # Each story's days are told, and then each date is rolled up.
        with tqdm(total=told * (len(STORIES) + 1), unit=" days", desc="Demo data", leave=False, disable=None) as bar:

            def tick(day: date) -> None:
                bar.update()

            made = make_demo(login.file(), tick)
        names = ", ".join(f"{organization.name} (/o/{organization.slug}/)" for organization in made.organizations)
        self.stdout.write(f"Made demo data: {made.calls:,} calls of {names}; {made.days:,} days rolled up.")
        self.tell(again=False)

    def tell(self, *, again: bool) -> None:
        """Print the login where that may be; elsewhere say, once, where it is."""
        made = login.read_login(login.file())
        if made and login.may_be_told() and made.works():
            self.stdout.write(f"E-mail: {made.email}\nPassword: {made.password}")
        elif not again:
            self.stdout.write(f"Its login is in {login.file()}.")

    def remove(self, *, ask: bool) -> None:
        try:
            demo = removal.find()
        except removal.CannotRemove as error:
            raise CommandError(str(error)) from None
        if not demo.organizations:
            self.stdout.write("There is no demo.")
            return
        names = [*(organization.name for organization in demo.organizations), *([demo.user.email] if demo.user else [])]
        if ask and not self.confirm(", ".join(names)):
            raise CommandError("Nothing was removed.")
        try:
            rows = removal.remove(demo)
        except Busy:
            raise CommandError(BUSY) from None
        self.stdout.write(f"Removed {', '.join(names)}, and {rows:,} calls.")

    def confirm(self, names: str) -> bool:
        try:
            return input(f"Remove {names}, with all they have? Type yes: ").strip() == "yes"
        except EOFError:
            return False
