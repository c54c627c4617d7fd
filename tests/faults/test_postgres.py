"""PostgreSQL is killed, with all its processes at once, while calls are recorded and while days are rolled up."""

import contextlib
import os
import signal
import subprocess

import psycopg
import pytest

from tests.faults.conftest import OwnSite
from tests.faults.holding import held
from tests.patience import PATIENCE, wait_until

BATCHES = 30
SENDER = ("-m", "tests.faults.sender", "acme", str(BATCHES))


def kill_server(own_site: OwnSite) -> None:
    """The postmaster first, so that it cannot end the others in order."""
    with psycopg.connect(own_site.conninfo) as database:
        backends = [pid for (pid,) in database.execute("SELECT pid FROM pg_stat_activity").fetchall()]
    for pid in (own_site.site.postmaster(), *backends):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_server_is_killed_while_calls_are_recorded(own_site: OwnSite) -> None:
    own_site.run(*SENDER[:-1], "1")
    own_site.run(
        "manage.py", "aggregate_day", "--from=2025-03-01", "--to=2025-03-31"
    )  # so that each batch leaves marks
    sender = own_site.start(*SENDER, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert sender.stdout
    acknowledged = [sender.stdout.readline() for _ in range(BATCHES // 3)]
    with held(own_site.conninfo) as marks:
        wait_until(lambda: marks.waiting() == 1, "a batch is written, and not committed")
        kill_server(own_site)
    said, complained = sender.communicate(timeout=PATIENCE)
    assert "Sending again" in complained
    acknowledged += said.splitlines()
    assert len(acknowledged) == BATCHES
    own_site.run("manage.py", "aggregate_day", "--from=2025-03-01", "--to=2025-03-31")
    assert own_site.recorded() == sorted(" ".join(acknowledged).split())


@pytest.mark.parametrize("again", [False, True], ids=["first time", "again, for late calls"])
def test_the_server_is_killed_while_a_day_is_rolled_up(own_site: OwnSite, again: bool) -> None:
    rolling = ("manage.py", "aggregate_day", "--from=2025-03-01", "--to=2025-03-31", *["--force"] * again)
    said = own_site.run(*SENDER)
    if again:
        own_site.run(*rolling)
    before = own_site.count("aggregates_dailyaggregate")
    with held(own_site.conninfo) as marks:
        roller = own_site.start(*rolling, stderr=subprocess.PIPE)
        wait_until(lambda: marks.waiting() == 1, "the first day's aggregates are written, and not committed")
        kill_server(own_site)
    _, complained = roller.communicate(timeout=PATIENCE)
    assert roller.returncode == 1
    assert complained.startswith("CommandError: The database failed: ")
    own_site.run("manage.py", "migrate", "--check")  # brings the server up again
    assert own_site.count("aggregates_dailyaggregate") == before
    own_site.run(*rolling)
    assert own_site.recorded() == sorted(said.split())
