"""`manage.py distribute`: moves the tables that grow with calls to the workers of a Citus cluster."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aggregates.ops import distribution
from aggregates.ops.distribution import CannotDistribute


class Command(BaseCommand):
    help = (
        "Where the database is the coordinator of a Citus cluster: distribute what grows with calls by organization. "
        "Can be run again at any time; docs/scale.md tells when it is to be."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            distribution.distribute(self.stdout.write)
        except CannotDistribute as problem:
            raise CommandError(str(problem)) from None
