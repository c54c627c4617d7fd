"""`manage.py migrate`: Django's, which waits for the locks of a busy site without holding it up meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

# Whoever comes behind a migration that waits for a table waits, too: so it gives up, lets them pass, and tries again.
LOCK_TIMEOUT = "1s"
PAUSE = 1  # seconds
ATTEMPTS = 600


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the migrations; raises OperationalError if others hold a table all the time.

        A migration that gave up has changed nothing, or may be run again, and those before it are done.
        """
        with short_waits(options["database"]):
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    super().handle(*args, **options)
                    return
                except OperationalError as error:
                    if not isinstance(error.__cause__, LockNotAvailable) or attempt == ATTEMPTS:
                        raise
                    if attempt == 1:
                        self.stderr.write("Others are using a table that is to change; waiting until they let it go.")
                time.sleep(PAUSE)


@contextmanager
def short_waits(alias: str) -> Iterator[None]:
    """Let sessions of a database begin with a short lock_timeout, to which they also return."""
    connection = connections[alias]
    if connection.in_atomic_block:  # whoever began that waits as they like
        yield
        return
    options = connection.settings_dict["OPTIONS"]
    before = options.get("options")
    options["options"] = f"{before or ''} -c lock_timeout={LOCK_TIMEOUT}".strip()
    connection.close()
    try:
        yield
    finally:
        if before is None:
            del options["options"]
        else:
            options["options"] = before
        connection.close()
