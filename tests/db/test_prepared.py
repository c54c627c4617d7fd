"""Statements that a session prepares: planned once, and with the rows that they have without it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, NotSupportedError, ProgrammingError, close_old_connections, connection, transaction
from django.test.utils import CaptureQueriesContext

from aggregates.db.prepared import FEW, MOST, fetch_all
from aggregates.db.snapshot import snapshot
from tests.locking import somebody_else

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
AMONG = "SELECT name FROM unnest(ARRAY['a', 'b']) AS name WHERE name = ANY(%s::text[])"


@pytest.fixture(autouse=True)
def new_session() -> Iterator[None]:
    connection.close()
    yield
    connection.close()


def prepared() -> list[tuple[str, int, int]]:
    """What is prepared, and how often it had a plan for any values, and one for its own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements ORDER BY statement")
        return cursor.fetchall()


def test_what_a_snapshot_asks_again_is_planned_once() -> None:
    for number in range(5):
        with snapshot():
            assert fetch_all("SELECT %s + 1", [number]) == [(number + 1,)]
    assert prepared() == [("SELECT $1 + 1", 5, 0)]


def test_a_session_prepares_only_so_many() -> None:
    for number in range(MOST + 10):
        fetch_all(f"SELECT %s::int + {number}", [1])
    assert len(prepared()) <= MOST + 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 1),
        ("bigint", 2**40),
        ("text", None),
        ("bool", True),
        ("text", "50% of “ü”"),
        ("numeric", Decimal("0.000000012345")),
        ("date", date(2025, 3, 1)),
        ("timestamptz", NOON),
        ("date[]", [date(2025, 3, 1), date(2025, 3, 2)]),
        ("text[]", ["a", None, 'b"']),
        ("text[]", []),
    ],
)
def test_values_are_what_django_reads_and_writes(kind: str, value: object) -> None:
    for _ in range(3):
        assert fetch_all(f"SELECT %s::{kind}, '%%'", [value]) == [(value, "%")]
        assert fetch_all(f"SELECT %(it)s::{kind}", {"it": value}) == [(value,)]


def test_nothing_else_is_counted_or_prepared() -> None:
    for value in (1, 0):
        with suppress(DataError):
            fetch_all("SELECT 1 / %s", [value])
        assert connection.connection.prepare_threshold is None  # else it keeps the texts of all others
    with connection.cursor() as cursor:
        for _ in range(9):
            cursor.execute("SELECT %s", [1])
    assert {statement for statement, *_ in prepared()} == {"SELECT 1 / $1"}


def test_a_list_that_is_long_is_looked_up_by_a_plan_of_its_own() -> None:
    for _ in range(3):
        assert fetch_all(AMONG, [["b", *map(str, range(FEW))]]) == [("b",)]
    assert prepared() == []
    assert fetch_all(AMONG, [["b", "c"]]) == [("b",)]
    assert [statement for statement, *_ in prepared()] == [AMONG.replace("%s", "$1")]


@pytest.mark.parametrize(
    ("statement", "error"), [("SELECT 1 / %s", DataError), ("SELECT %s FROM nothing", ProgrammingError)]
)
def test_errors_are_those_of_django_and_the_transaction_goes_on(statement: str, error: type[Exception]) -> None:
    with snapshot():
        for _ in range(3):
            with pytest.raises(error), transaction.atomic():
                fetch_all(statement, [0])
        assert fetch_all("SELECT %s", [1]) == [(1,)]


def test_whoever_watches_statements_sees_them() -> None:
    seen = []

    def watch(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        seen.append(sql)
        return execute(sql, *more)

    with connection.execute_wrapper(watch), CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            fetch_all("SELECT %s::text", ["it's"])
    assert seen == [query["sql"] for query in queries] == ["SELECT %s::text"] * 3


def test_a_connection_that_was_lost_between_requests_is_made_anew() -> None:
    fetch_all("SELECT %s", [1])
    with somebody_else() as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.connection.info.backend_pid])
    close_old_connections()  # as a request begins
    assert fetch_all("SELECT %s", [1]) == [(1,)]


def test_it_is_prepared_anew_after_a_transaction_was_rolled_back() -> None:
    for _ in range(2):
        with suppress(DataError), transaction.atomic():
            fetch_all("SELECT 1 / %s", [0])
        assert fetch_all("SELECT %s", [1]) == [(1,)]


@pytest.mark.parametrize("is_atomic", [False, True])
def test_it_is_prepared_anew_when_a_column_gets_another_type(is_atomic: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE changing (name varchar(10))")
        fetch_all("SELECT name FROM changing WHERE name <> %s", ["a"])
        cursor.execute("ALTER TABLE changing ALTER name TYPE varchar(20)")
    if is_atomic:
        with pytest.raises(NotSupportedError), transaction.atomic():
            fetch_all("SELECT name FROM changing WHERE name <> %s", ["a"])
    assert fetch_all("SELECT name FROM changing WHERE name <> %s", ["a"]) == []


def test_it_is_planned_anew_when_a_table_changes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE prepared (name text)")
        for _ in range(3):
            assert fetch_all("SELECT name FROM prepared WHERE name = %s", ["a"]) == []
        cursor.execute("INSERT INTO prepared VALUES ('a'); CREATE INDEX ON prepared (name); ANALYZE prepared")
        assert fetch_all("SELECT name FROM prepared WHERE name = %s", ["a"]) == [("a",)]
