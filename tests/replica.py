"""A streaming replica of the tests' database server, made by PostgreSQL's own tools; and which reads it answered."""

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from aggregates.db import standby
from aggregates.db.reads import READS, ReadOutcome
from aggregates.ops import request_metrics
from tests.patience import PATIENCE, wait_until
from usagesite.embedded.postgres import Server
from usagesite.embedded.server import PORT, Place

# Replay ends reads that stand in its way, and does not wait for them; that rows are cleared away is none of these.
AT_ONCE = {"max_standby_streaming_delay": "0", "hot_standby_feedback": "on"}

MIRROR = {"TEST": {"MIRROR": "default"}}  # nobody empties it
READS_STANDBY = pytest.mark.django_db(transaction=True, databases=["default", standby.ALIAS])


class Replica(Server):
    """A server that replays what another writes; or, begun without one, a server of its own."""

    def __init__(self, primary: str = "", settings: dict[str, str] | None = None, folder: Path | None = None) -> None:
        """Make one of the server at a conninfo, with more settings; or start the one in a folder again.

        It deletes its folder when it stops. That is none of pytest's own: each run of pytest forbids those to others,
        and the server may have to be somebody else.
        """
        place = Place(folder or Path(tempfile.mkdtemp(prefix="usagesite-replica-")))
        place.folder.mkdir(parents=True, exist_ok=True)
        super().__init__(place, throwaway=True)
        self.primary, self.settings = primary, settings or {}
        with place.log.open("ab") as self.said:
            self.find_or_start()

    def make_cluster(self) -> None:
        if not self.primary or self.place.cluster.exists():
            super().make_cluster()
            return
        with psycopg.connect(self.primary, autocommit=True) as primary:  # whoever pauses replay misses nothing
            primary.execute("ALTER SYSTEM SET wal_keep_size = '2GB'")
            primary.execute("SELECT pg_reload_conf()")
        self.place.cluster.mkdir(mode=0o700)
        self.give(self.place.cluster)
        made_by = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync", f"--dbname={self.primary}")
        self.run("pg_basebackup", "--pgdata", self.place.cluster, *made_by)
        with (self.place.cluster / "postgresql.auto.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in self.settings.items())

    def conditions(self) -> dict[str, Any]:
        """Say how its processes run; what they have to say is in its folder."""
        return super().conditions() | {"stderr": self.said}

    def conninfo(self, database: str) -> str:
        return psycopg.conninfo.make_conninfo(host=str(self.place.sockets), port=PORT, user="postgres", dbname=database)

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.conninfo(database), autocommit=True) as asked:
            asked.execute(statement)

    def close(self) -> None:
        """End it, and delete what it has."""
        self.stop()

    def kill(self) -> None:
        """End it as a crash does, with all its processes."""
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not self.is_alive(), "the replica's processes ended")


def conninfo_of_tests(database: str = "") -> str:
    """Say how to reach a database of the tests' server, or the one of the test."""
    settings = connections.settings["default"]
    return psycopg.conninfo.make_conninfo(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        dbname=database or settings["NAME"],
    )


@contextmanager
def standby_set(replica: Replica, **settings: Any) -> Iterator[None]:
    """Let reads come from a replica, as READ_DATABASE_URL does.

    Tests that ask for the database have to be set up within, and marked with READS_STANDBY.
    """
    before = connections.settings.get(standby.ALIAS)
    ours = {name: value for name, value in connections.settings["default"].items() if name != "EMBEDDED"}
    ours |= {"ENGINE": "django.db.backends.postgresql", "HOST": str(replica.place.sockets), "PORT": PORT}
    ours["OPTIONS"] = ours["OPTIONS"] | {"connect_timeout": PATIENCE}  # nobody gives it up because the machine is slow
    ours |= MIRROR | settings
    if before:
        standby._forget()
    connections.settings[standby.ALIAS] = ours
    forget_pauses()
    try:
        yield
    finally:
        standby._forget()
        if before:
            connections.settings[standby.ALIAS] = before
        else:
            del connections.settings[standby.ALIAS]
        forget_pauses()


def forget_pauses() -> None:
    """Let the standby be asked, and waited for, again."""
    standby.pauses = standby.Pauses()


def wait_until_read() -> None:
    """Wait until the standby is as new as the primary is now."""

    def has_caught_up() -> bool:
        outcome, words = standby.examine(0)
        assert outcome in (ReadOutcome.STANDBY, ReadOutcome.BEHIND), words
        return outcome is ReadOutcome.STANDBY

    wait_until(has_caught_up, "the standby has caught up")
    forget_pauses()


class Outcomes:
    """Where reads ended, since this was made or last asked."""

    def __init__(self) -> None:
        request_metrics.join()  # makes the folder that is counted in
        self.before = self.counted()

    @staticmethod
    def counted() -> Counter[str]:
        samples = [sample for metric in READS.collect() for sample in metric.samples]
        return Counter({each.labels["outcome"]: int(each.value) for each in samples if each.name.endswith("_total")})

    def new(self) -> dict[str, int]:
        now = self.counted()
        found = now - self.before
        self.before = now
        return dict(found)
