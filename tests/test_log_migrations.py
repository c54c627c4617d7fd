"""An installation of an older version, with data, is upgraded in place, and ends up as a new one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from django.db import connection
from psycopg import sql
from pytest_django import DjangoDbBlocker

from tests.processes import BASE

OLD = f"upgraded_from_an_older_version_{os.getpid()}"
TEMPLATE = f"{OLD}_template"
# A month with its calls, two rolled days, the earlier one of which has no month any more.
DATA = """
INSERT INTO aggregates_organization (id, slug, name, time_zone, created_at) VALUES (1, 'acme', 'Acme', 'UTC', now());
CREATE TABLE aggregates_usagelog_2025_03 (LIKE aggregates_usagelog INCLUDING ALL);
CREATE UNIQUE INDEX aggregates_usagelog_2025_03_once ON aggregates_usagelog_2025_03 (organization_id, request_id);
ALTER TABLE aggregates_usagelog ATTACH PARTITION aggregates_usagelog_2025_03
    FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00');
INSERT INTO aggregates_usagelog (organization_id, timestamp, request_id, operation, provider, model, user_id,
    subject_id, project, status, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    cost, cost_source, cache_hit_rate) VALUES
    (1, '2025-03-10 12:00+00', 'r1', '', '', 'm', '', '', '', 'ok', 0, 0, 0, 0, 0, 1, 'reported', 0);
INSERT INTO aggregates_usageday (organization_id, date, starts_at, ends_at, sealed_through, rolled_through, rolled_at)
    SELECT 1, day, day, day + interval '1 day', day + interval '1 day', day + interval '1 day', now()
    FROM unnest(ARRAY['2025-02-10 00:00+00', '2025-03-10 00:00+00']::timestamptz[]) AS day;
INSERT INTO aggregates_dailyaggregate (organization_id, date, total_calls, total_errors, total_unpriced_calls,
    total_cost, total_input_tokens, total_cached_tokens, total_cache_write_tokens, total_output_tokens,
    total_reasoning_tokens, total_cache_hit_rate) SELECT 1, date, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 FROM aggregates_usageday
"""
CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
WHERE conrelid = 'aggregates_usagelog'::regclass ORDER BY 1
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'aggregates_usagelog' ORDER BY 1"
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


class Template(NamedTuple):
    """How to connect to its server, and a connection that makes copies of it."""

    server: dict[str, Any]
    maker: psycopg.Connection[Any]


def migrate(*target: str) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": OLD}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks", *target],
        cwd=BASE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def template(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Template]:
    """The database of an installation as it was at version 0008, with data."""
    with django_db_blocker.unblock():
        facts = connection.get_connection_params()
    server = {name: facts[name] for name in ("user", "host", "port") if name in facts}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as maker:
        make(maker, OLD, "template0")
        migrate("aggregates", "0008")
        with psycopg.connect(**server, dbname=OLD, autocommit=True) as database:
            database.execute("SELECT set_config('TimeZone', 'UTC', false)")
            database.execute(DATA)
        make(maker, TEMPLATE, OLD)
        yield Template(server, maker)
        for name in (OLD, TEMPLATE):
            drop(maker, name)


@pytest.fixture
def old(transactional_db: None, template: Template) -> Iterator[psycopg.Connection[Any]]:
    """A connection to that installation."""
    make(template.maker, OLD, TEMPLATE)
    with psycopg.connect(**template.server, dbname=OLD, autocommit=True) as database:
        database.execute("SELECT set_config('TimeZone', 'UTC', false)")
        yield database


def make(maker: psycopg.Connection[Any], name: str, template: str) -> None:
    drop(maker, name)
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    maker.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def drop(maker: psycopg.Connection[Any], name: str) -> None:
    maker.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def catalogue(database: Any) -> list[Any]:
    return [database.execute(statement).fetchall() for statement in (CONSTRAINTS, INDEXES)]


def test_an_older_installation_is_as_a_new_one_and_lost_days_keep_their_sums(old: psycopg.Connection[Any]) -> None:
    """One of its migrations was interrupted: as their steps are no one transaction, it may end with all of them done,
    and not noted, and is run again."""
    migrate("aggregates", "0022")
    old.execute("DELETE FROM django_migrations WHERE name ~ '^0022'")
    migrate()
    with connection.cursor() as cursor:
        assert catalogue(old) == catalogue(cursor)
    assert old.execute(INVALID).fetchall() == []
    children = "SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass"
    months = old.execute(children, ["aggregates_usagelog"]).fetchone()
    for index in ("usage_log_by_time", "usage_log_by_parent_span", "usage_log_by_units"):
        assert old.execute(children, [index]).fetchone() == months, index
    days = old.execute("SELECT date::text, kept_reason, contents FROM aggregates_usageday ORDER BY 1").fetchall()
    assert days == [("2025-02-10", "partition", 1), ("2025-03-10", "", 1)]


def test_what_was_billed_otherwise_has_a_tier_or_something_without_a_price(old: psycopg.Connection[Any]) -> None:
    migrate("aggregates", "0020")
    for number, billed in enumerate(("", "batch", "fast", "web_search", "audio")):
        old.execute(
            "INSERT INTO aggregates_usagelog (organization_id, timestamp, request_id, operation, provider, model, "
            "user_id, subject_id, project, status, input_tokens, cached_tokens, cache_write_tokens, output_tokens, "
            "reasoning_tokens, cost_source, cache_hit_rate, billed_as) VALUES (1, '2025-03-11 12:00+00', %s, '', '', "
            "'m', '', '', '', 'ok', 0, 0, 0, 0, 0, 'none', 0, %s)",
            [f"b{number}", billed],
        )
    migrate("aggregates", "0022")
    found = old.execute(
        "SELECT service_tier, units FROM aggregates_usagelog WHERE request_id ~ 'b' ORDER BY request_id"
    )
    assert found.fetchall() == [("", None), ("batch", None), ("fast", None), ("", {"other": 1}), ("", {"other": 1})]
