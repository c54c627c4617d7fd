"""A transaction whose worker goes away between PREPARE and COMMIT, so that others see nothing of it for a while.

The coordinator commits it, and then waits for a standby that is not there: the workers have prepared by then. Their
sessions end, as when a worker goes away, and the coordinator is let go on: it says that all is committed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import psycopg
from django.db import connection

from tests.patience import wait_until
from tests.threads import in_a_thread

PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
SESSIONS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE 'citus_internal gpid=%' AND pid <> pg_backend_pid() AND datname = current_database()
"""


@contextmanager
def control() -> Iterator[psycopg.Connection]:
    """Open a session that waits for no standby, with nobody settling by himself meanwhile."""
    settings = connection.get_connection_params()
    with psycopg.connect(
        **{name: settings[name] for name in ("dbname", "user", "host", "port")},
        autocommit=True,
        options="-c synchronous_commit=local",
    ) as session:
        session.execute("ALTER SYSTEM SET citus.recover_2pc_interval = -1")
        session.execute("SELECT pg_reload_conf()")
        try:
            yield session
        finally:
            session.execute("ALTER SYSTEM RESET synchronous_standby_names")
            session.execute("ALTER SYSTEM RESET citus.recover_2pc_interval")
            session.execute("SELECT pg_reload_conf()")
            session.execute("SELECT recover_prepared_transactions()")


def of_workers(session: psycopg.Connection, statement: str) -> list[int]:
    """Run a statement on each worker that gives a number."""
    found = session.execute("SELECT success, result FROM run_command_on_workers(%s)", [statement]).fetchall()
    assert all(success for success, _ in found), found
    return [int(result) for _, result in found]


def lose(session: psycopg.Connection, work: Callable[[], object]) -> None:
    """Do what writes on both workers; it is committed for whoever did it, and not to be seen on the workers."""
    session.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    session.execute("SELECT pg_reload_conf()")
    done: list[bool] = []

    def run() -> None:
        work()
        done.append(True)

    thread: Thread = in_a_thread(run)
    wait_until(lambda: all(of_workers(session, PREPARED)), "both workers have prepared")
    of_workers(session, SESSIONS)
    session.execute("ALTER SYSTEM RESET synchronous_standby_names")
    session.execute("SELECT pg_reload_conf()")
    thread.join()
    connection.close()  # ours to the workers ended, too
    assert done
    assert all(of_workers(session, PREPARED))
