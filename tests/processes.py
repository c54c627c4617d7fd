"""Commands of this site in processes of their own, on the database of the test that starts them."""

import atexit
import os
import pty
import termios
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import connection

from tests.patience import PATIENCE
from tests.warm import BASE, Fork, WarmProcess, libraries

__all__ = ["BASE"]


def without_test(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out which test runs, and when."""
    return {name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"}


PLAIN = without_test(os.environ)  # before any test changes it


def start(*arguments: str, **popen: Any) -> Fork:
    """Start manage.py with these arguments; the test has to be a transactional one, or it shares nothing."""
    return run_python("manage.py", *arguments, **popen)


def run_python(*arguments: str, settings: Mapping[str, str] | None = None, **popen: Any) -> Fork:
    """Start Python with these arguments, on the database of the test, and with more environment variables.

    As a fork of a process that has loaded the site, if the environment is still as it was: it is read in loading.
    """
    ours = of_database(connection.settings_dict["NAME"])
    given = without_test(os.environ) | ours | dict(settings or {})
    warm = loaded_site(**ours) if given == PLAIN | ours else libraries()
    return warm.start(*arguments, cwd=BASE, env=given, **popen)


def of_database(name: str) -> dict[str, str]:
    """Say which settings a process has that works on a database of the tests' server."""
    return {"DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": name}


@cache
def loaded_site(**environment: str) -> WarmProcess:
    """Return the process that has loaded the site, with these environment variables more; for all who work with it."""
    made = WarmProcess(PLAIN | environment)
    atexit.register(made.end)
    return made


def run_on_terminal(*arguments: str, answers: tuple[tuple[str, str], ...] = ()) -> tuple[int, str]:
    """Run manage.py on a terminal, answering what it asks; its exit status and all that the terminal showed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown, asked = "", list(answers)
    while True:
        try:
            shown += os.read(ours, 4096).decode()
        except OSError:  # the other end is closed
            break
        if asked and shown.endswith(asked[0][0]):
            os.write(ours, asked.pop(0)[1].encode() + b"\n")
    os.close(ours)
    return process.wait(timeout=PATIENCE), shown
