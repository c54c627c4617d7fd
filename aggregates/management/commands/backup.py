"""`manage.py backup FILE`: the whole database in a file, while the site runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.ops import backups


class Command(BaseCommand):
    help = "Write the whole database to a new file, while the site runs. `manage.py restore` reads it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to make")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            backups.back_up(file)
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Backed up to {file}: {file.stat().st_size:,} bytes. Keep SECRET_KEY with it.")
