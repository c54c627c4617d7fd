"""Commands of this site in processes of their own, on the database of the test that starts them."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

from django.db import connection

from tests.patience import PATIENCE

BASE = Path(__file__).parents[1]


def start(*arguments: str, **popen: Any) -> subprocess.Popen[str]:
    """Start manage.py with these arguments; the test has to be a transactional one, or it shares nothing."""
    return run_python("manage.py", *arguments, **popen)


def run_python(*arguments: str, **popen: Any) -> subprocess.Popen[str]:
    """Start Python with these arguments, on the database of the test."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": connection.settings_dict["NAME"]}
    return subprocess.Popen([sys.executable, *arguments], cwd=BASE, env={**os.environ, **settings}, text=True, **popen)


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
