"""A transaction that is at its end for the coordinator, while others see nothing of it on workers for a while.

`lose`: a worker goes away between PREPARE and COMMIT. The coordinator commits, and then waits for a standby that is not
there: the workers have prepared by then. Their sessions end, as when a worker goes away, and the coordinator is let go
on: it says that all is committed.

`crash`: the coordinator goes away while workers commit, which wait for a standby that is not there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import psycopg
from django.db import connection

from aggregates.db.ailing import AILING
from tests.patience import wait_until
from tests.threads import in_a_thread

PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
SESSIONS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE 'citus_internal gpid=%' AND pid <> pg_backend_pid() AND datname = current_database()
"""
WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep'
"""
# As superuser, on the coordinator's machine: as if it had run out of memory, which ends all of its sessions.
KILL = "COPY (SELECT) TO PROGRAM 'kill -9 {}'"


@contextmanager
def control() -> Iterator[psycopg.Connection]:
    """Open a session that waits for no standby, with nobody settling by himself meanwhile."""
    with connect() as session:
        configure(session, "SET citus.recover_2pc_interval = -1")
        try:
            yield session
        finally:
            with connect() as anew:  # that one may have crashed
                configure(anew, "RESET synchronous_standby_names")
                configure(anew, "RESET citus.recover_2pc_interval")
                anew.execute("SELECT recover_prepared_transactions()")


def connect() -> psycopg.Connection:
    settings = connection.get_connection_params()
    return psycopg.connect(
        **{name: settings[name] for name in ("dbname", "user", "host", "port")},
        autocommit=True,
        options="-c synchronous_commit=local",
    )


def configure(session: psycopg.Connection, setting: str) -> None:
    """Change a setting of the coordinator's, as ALTER SYSTEM has it."""
    session.execute(f"ALTER SYSTEM {setting}")
    session.execute("SELECT pg_reload_conf()")


def configure_workers(session: psycopg.Connection, setting: str) -> None:
    for statement in (f"ALTER SYSTEM {setting}", "SELECT pg_reload_conf()"):
        session.execute("SELECT run_command_on_workers(%s)", [statement])


def of_workers(session: psycopg.Connection, statement: str) -> list[int]:
    """Run a statement on each worker that gives a number."""
    found = session.execute("SELECT success, result FROM run_command_on_workers(%s)", [statement]).fetchall()
    assert all(success for success, _ in found), found
    return [int(result) for _, result in found]


def lose(session: psycopg.Connection, work: Callable[[], object]) -> None:
    """Do what writes on both workers; it is committed for whoever did it, and not to be seen on the workers."""
    configure(session, "SET synchronous_standby_names = 'nobody'")
    done: list[bool] = []

    def run() -> None:
        work()
        done.append(True)

    thread: Thread = in_a_thread(run)
    wait_until(lambda: all(of_workers(session, PREPARED)), "both workers have prepared")
    of_workers(session, SESSIONS)
    configure(session, "RESET synchronous_standby_names")
    thread.join()
    connection.close()  # ours to the workers ended, too
    assert done
    assert all(of_workers(session, PREPARED))


@contextmanager
def crash(session: psycopg.Connection, work: Callable[[], object], *, is_prepared: bool) -> Iterator[None]:
    """Have the coordinator crash while a worker commits what was written on it, which it has done at the end; with
    `is_prepared` it had prepared that. Who did it has no answer."""
    if is_prepared:
        configure(session, "SET synchronous_standby_names = 'nobody'")
    else:
        configure_workers(session, "SET synchronous_standby_names = 'nobody'")
    answered: list[object] = []

    def run() -> None:
        with suppress(*AILING):
            answered.append(work())

    thread = in_a_thread(run)
    try:
        if is_prepared:
            wait_until(lambda: any(of_workers(session, PREPARED)), "a worker has prepared")
            configure_workers(session, "SET synchronous_standby_names = 'nobody'")
            configure(session, "RESET synchronous_standby_names")
        wait_until(lambda: any(of_workers(session, WAITING)), "a worker commits")
        configure_workers(session, "SET synchronous_commit = local")  # of others
        with suppress(psycopg.Error):
            session.execute(KILL.format(session.info.backend_pid))
        thread.join()
        connection.close()
        assert not answered
        wait_until(is_back, "the coordinator is back")
        yield
    finally:
        with connect() as anew:
            for setting in ("synchronous_standby_names", "synchronous_commit"):
                configure_workers(anew, f"RESET {setting}")
            wait_until(lambda: not any(of_workers(anew, WAITING)), "workers have committed")


def is_back() -> bool:
    with suppress(psycopg.OperationalError), connect():
        return True
    return False
