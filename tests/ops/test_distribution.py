"""Where there is no cluster, nothing is distributed, and what a cluster needs of all installations is there."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

import aggregates
from aggregates.db import locks
from aggregates.db.locks import Lock
from aggregates.db.partitions import existing_partitions, hold_log, identify_rows, lock_out
from aggregates.ops.checks.cluster import distributed
from aggregates.ops.distribution import Node


def test_one_server_refuses_in_words_to_distribute_and_changes_nothing(db: None) -> None:
    with pytest.raises(CommandError, match="has no Citus: one server needs nothing distributed"):
        call_command("distribute", stdout=StringIO())
    assert distributed(databases=["default"]) == []


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node("13.2-1", True, True, 2), "Citus 13.2-1 is older than 14"),
        (Node("14.0-1", False, True, 2), "DATABASE_URL is to name its coordinator"),
        (Node("14.0-1", True, False, 2), "citus_set_coordinator_host"),
        (Node("14.0-1", True, True, 0), "citus_add_node"),
        (Node("14.0-1", True, True, 2, may_settle=False), "GRANT EXECUTE"),
        (Node("14.1-1", True, True, 2), ""),
    ],
)
def test_what_cannot_be_distributed_is_said(node: Node, words: str) -> None:
    assert words in node.problem
    assert bool(node.problem) == bool(words)


def test_to_take_a_lock_is_one_statement_on_one_server(db: None) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert not locks.take(Lock.DAY, 1)
        locks.take_shared(Lock.PERIOD, [1, 2], settled=True)
    assert len([query for query in queries if "pg_advisory" in query["sql"]]) == len(queries) == 2


def test_whoever_has_a_lock_for_a_moment_lets_it_go_before_the_transaction_ends(db: None) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    with transaction.atomic(), connection.cursor() as cursor:
        with locks.held_for("1s", Lock.DAY, 1):
            assert cursor.execute(held).fetchone() == (1,)
        assert cursor.execute(held).fetchone() == (0,)


@pytest.mark.parametrize(("lock", "mode"), [(hold_log, "AccessShareLock"), (lock_out, "AccessExclusiveLock")])
def test_the_guard_locks_the_log(db: None, lock: Callable[[], None], mode: str) -> None:
    locked = "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'aggregates_usagelog'::regclass"
    with transaction.atomic(), connection.cursor() as cursor:
        lock()
        assert cursor.execute(locked).fetchall() == [(mode,)]


def test_each_month_says_which_columns_name_a_row_whoever_made_it(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in BY_AN_OLDER_VERSION.split(";"):
            cursor.execute(statement)
        identify_rows()
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_inherits ON inhrelid = indrelid "
            "WHERE inhparent = 'aggregates_usagelog'::regclass AND indisreplident ORDER BY 1"
        )
        found = [name for (name,) in cursor.fetchall()]
    assert found == [f"{partition.name}_once" for partition in existing_partitions()] != []


BY_AN_OLDER_VERSION = """
    CREATE TABLE aggregates_usagelog_2019_05 (LIKE aggregates_usagelog INCLUDING ALL);
    CREATE UNIQUE INDEX aggregates_usagelog_2019_05_once ON aggregates_usagelog_2019_05 (organization_id, request_id);
    ALTER TABLE aggregates_usagelog ATTACH PARTITION aggregates_usagelog_2019_05
        FOR VALUES FROM ('2019-05-01 00:00+00') TO ('2019-06-01 00:00+00')
"""
REFUSED = {  # by Citus
    "columns behind the name of a table expression": re.compile(r"\w \([^()]*\) AS (\{\})?(NOT )?(MATERIALIZED )?\(\{"),
    "the time, or a sum with it, in a CASE of an UPDATE": re.compile(
        r"\bSET [^;\"]*\b(CASE|COALESCE)\b[^;\"]*(\w_timestamp\(\)|\binterval\b)"
    ),
    "a volatile function in an UPDATE": re.compile(r"\bSET [^;\"]*clock_timestamp\(\)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_no_statement_has_what_a_cluster_refuses(what: str) -> None:
    rooms = (Path(aggregates.__file__).parent / room for room in ("db", "query", "pricing", "ingest", "rollup"))
    modules = [module for room in rooms for module in room.rglob("*.py")]
    assert [module.name for module in modules if REFUSED[what].search(module.read_text())] == []
