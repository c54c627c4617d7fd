"""The site behind its own web server, and clients out of environments of their own."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import secret
from tests.api.test_server import port
from tests.clients.environments import python_of
from tests.clients.table import lines, written
from tests.patience import PATIENCE

__all__ = ["port", "secret"]


class Environment:
    """Of one client, with what its requirements say."""

    def __init__(self, name: str) -> None:
        self.python = python_of(name)

    def run(self, script: Path, *arguments: str, **settings: str) -> str:
        """All that it said."""
        done = subprocess.run(
            [self.python, script, *arguments],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the table of clients, where there is one."""
    if os.environ.get("CLIENTS"):
        for line in written(lines):
            terminalreporter.write_line(line)
