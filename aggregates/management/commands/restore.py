"""`manage.py restore FILE`: a file of `manage.py backup` into an empty database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.ops import backups


class Command(BaseCommand):
    help = "Fill an empty database from a file that `manage.py backup` made."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to read")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backups.restore(options["file"])
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Restored. Now run manage.py migrate, and manage.py check_usage --verify 1000.")
