"""`manage.py demo`: fills an empty site with usage to look at."""

from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from tqdm import tqdm

from aggregates.db import clock
from aggregates.domain import days
from aggregates.models import Organization
from aggregates.ops.demo import Login, first_day, make_demo, read_login
from aggregates.ops.demo.cast import STORIES


class Command(BaseCommand):
    help = "Where there is no organization yet, make three with 13 months of usage up to now, and a login."

    def handle(self, *args: Any, **options: Any) -> None:
        login_file = Path(settings.DATA_DIR, "demo-login")
        if Organization.objects.exists():
            self.stdout.write("There are organizations already: no demo data was made.")
            login = read_login(login_file)
            if login and login.works():
                self.show(login)
            return
        now = clock.now()
        told = (now.date() - first_day(now)) // days.DAY + 1
        # Each story's days are told, and then each date is rolled up.
        with tqdm(total=told * (len(STORIES) + 1), unit=" days", desc="Demo data", leave=False, disable=None) as bar:

            def tick(day: date) -> None:
                bar.update()

            made = make_demo(login_file, tick)
        names = ", ".join(f"{organization.name} (/o/{organization.slug}/)" for organization in made.organizations)
        self.stdout.write(f"Made demo data: {made.calls:,} calls of {names}; {made.days:,} days rolled up.")
        self.show(made.login)

    def show(self, login: Login) -> None:
        self.stdout.write(f"E-mail: {login.email}\nPassword: {login.password}")
