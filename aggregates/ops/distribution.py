"""Moving the tables that grow with calls to the workers of a Citus cluster, whose coordinator the database is.

They are distributed by organization and lie together, so that whatever is asked or written for one organization is on
one worker. All other tables stay on the coordinator: they are small, and who logs in, sends or looks at a page needs no
other server for them. Foreign keys do not reach from workers to the coordinator: what they kept, a trigger keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Model
from psycopg.sql import SQL, Composable, Identifier, Literal

from aggregates.db.partitions import lock_out
from aggregates.db.sql import columns, table, text
from aggregates.models import (
    BreakdownChunk,
    DailyAggregate,
    FormerCost,
    HourChunk,
    LatencyChunk,
    Organization,
    StaleDay,
    UsageDay,
    UsageLog,
    UsagePeriod,
)
from aggregates.ops.health.gathering import pending_migrations

OLDEST = 14  # version of Citus that this was tried with; older ones refuse some statements
BY = "organization_id"
# What grows with calls and stays. The log comes first: the others lie where its rows do.
DISTRIBUTED: tuple[type[Model], ...] = (
    *(UsageLog, UsageDay, StaleDay, DailyAggregate, BreakdownChunk, LatencyChunk, HourChunk, UsagePeriod),
    FormerCost,
)

# What the foreign keys of these tables said: nobody deletes an organization that has rows there. And nobody writes rows
# of one that is not there, as whoever records locks it.
LEFT = """
    IF EXISTS (SELECT FROM {table} WHERE organization_id = OLD.id) THEN
        RAISE foreign_key_violation USING MESSAGE = format('%s has rows in %s', OLD.slug, {name});
    END IF;
"""
GUARD = """
CREATE OR REPLACE FUNCTION aggregates_usage_goes_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {checks}
    RETURN OLD;
END $$;
CREATE OR REPLACE TRIGGER aggregates_usage_goes_first BEFORE DELETE ON {organizations} FOR EACH ROW
    EXECUTE FUNCTION aggregates_usage_goes_first();
"""


class CannotDistribute(Exception):
    """Nothing was changed; the message says why, to whoever runs the site."""


@dataclass(frozen=True, slots=True)
class Node:
    """What the server that we are connected to is: Citus' version, "" where there is none; whether it is the
    coordinator, and known as such to the others; how many workers take rows, and the names of those that do not; and
    whether our role may settle what workers have prepared."""

    citus: str
    is_coordinator: bool = False
    is_known: bool = False
    workers: int = 0
    idle: tuple[str, ...] = ()
    may_settle: bool = True

    @property
    def problem(self) -> str:
        """Say why nothing can be distributed from here; "" if it can."""
        if not self.citus:
            return (
                "This PostgreSQL has no Citus: one server needs nothing distributed. For a cluster, CREATE EXTENSION "
                "citus in this database on each of its nodes first (docs/scale.md)."
            )
        if int(self.citus.partition(".")[0]) < OLDEST:
            return f"Citus {self.citus} is older than {OLDEST}, the oldest that this site is made for."
        if not self.is_coordinator:
            return "This is a worker of a Citus cluster: DATABASE_URL is to name its coordinator, which has all locks."
        if not self.is_known:
            return "The coordinator is not known to its workers: SELECT citus_set_coordinator_host(its name, its port)."
        if not self.workers:
            return "The cluster has no worker that takes rows: SELECT citus_add_node(its name, its port) for each."
        if not self.may_settle:
            return (
                "The site's role may not settle what workers have prepared, and records nothing: have a superuser "
                "GRANT EXECUTE ON FUNCTION recover_prepared_transactions() TO it."
            )
        return ""


NODES = """
    SELECT count(*) FILTER (WHERE groupid = 0),
           count(*) FILTER (WHERE isactive AND shouldhaveshards AND noderole = 'primary'),
           array_agg(nodename || ':' || nodeport ORDER BY nodeid) FILTER (WHERE groupid <> 0 AND NOT isactive)
    FROM pg_dist_node
"""


def examine() -> Node:
    """Look at what the database is: with one statement where it is no part of a cluster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'citus'")
        found = cursor.fetchone()
        if found is None:
            return Node("")
        cursor.execute(
            "SELECT citus_is_coordinator(), "
            "has_function_privilege('pg_catalog.recover_prepared_transactions()', 'EXECUTE')"
        )
        is_coordinator, may_settle = cursor.fetchone()
        cursor.execute(NODES)
        known, workers, idle = cursor.fetchone()
    return Node(found[0], is_coordinator, bool(known), workers, tuple(idle or ()), may_settle)


def missing() -> list[str]:
    """Name the tables of a cluster that are to be distributed and are not, the log's months among them; and those whose
    rows lie elsewhere than the log's. Those that a migration has yet to make are not missing."""
    statement = SQL("""
        SELECT name FROM (
            SELECT name, 0 AS place FROM unnest(%s::text[]) AS name
            UNION ALL SELECT inhrelid::regclass::text, 1 FROM pg_inherits WHERE inhparent = {log}::regclass
        ) AS wanted
        WHERE to_regclass(name) IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_dist_partition AS distributed
            JOIN pg_dist_partition AS log ON log.logicalrelid = {log}::regclass
            WHERE distributed.logicalrelid = to_regclass(name) AND distributed.colocationid = log.colocationid
        ) ORDER BY place, name
    """).format(log=Literal(UsageLog._meta.db_table))
    with connection.cursor() as cursor:
        cursor.execute(text(statement), [[model._meta.db_table for model in DISTRIBUTED]])
        return [name for (name,) in cursor.fetchall()]


def distribute(say: Callable[[str], None]) -> None:
    """Distribute what is not distributed yet, all of it or nothing, and say what was done.

    Whoever reads or writes waits meanwhile, for as long as it takes to copy the rows. Raises CannotDistribute.
    """
    if problem := examine().problem:
        raise CannotDistribute(problem)
    if pending := pending_migrations():
        raise CannotDistribute(f"Run manage.py migrate first, for {', '.join(pending)}.")
    with transaction.atomic():
        _run(_guard())
        lock_out()
        names = missing()
        for model in DISTRIBUTED:
            if model._meta.db_table in names:
                _distribute(model)
                say(f"{model._meta.db_table}: distributed by organization.")
    if not names:
        say("Everything was distributed already; nothing was changed.")


def _distribute(model: type[Model]) -> None:
    name = model._meta.db_table
    _run(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table(model)))
    for constraint in _constraints(name, "f"):
        _run(SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table(model), Identifier(constraint)))
    for constraint in _constraints(name, "p"):
        _put_organization_first(model, constraint)
    for trigger in _triggers(name):  # which asks for the organization: on a worker there is none
        _run(SQL("DROP TRIGGER {} ON {}").format(Identifier(trigger), table(model)))
    beside = Literal("none" if model is DISTRIBUTED[0] else DISTRIBUTED[0]._meta.db_table)
    parts = {"table": Literal(name), "by": Literal(BY), "beside": beside}
    _run(SQL("SELECT create_distributed_table({table}, {by}, colocate_with => {beside})").format(**parts))
    _run(SQL("SELECT truncate_local_data_after_distributing_table({table})").format(**parts))


def _put_organization_first(model: type[Model], constraint: str) -> None:
    """Make a primary key one of the organization and what it was of, as rows of two workers may have the same."""
    others = [field.column for field in model._meta.pk_fields if field.column and field.column != BY]
    statement = SQL("ALTER TABLE {0} DROP CONSTRAINT {1}, ADD CONSTRAINT {1} PRIMARY KEY ({2})")
    key = columns((BY, *others))
    _run(statement.format(table(model), Identifier(constraint), key))


def _constraints(name: str, kind: str) -> list[str]:
    return _names("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = %s", [name, kind])


def _triggers(name: str) -> list[str]:
    return _names("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [name])


def _names(statement: str, parameters: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [name for (name,) in cursor.fetchall()]


def _guard() -> Composable:
    checks = [SQL(LEFT).format(table=table(model), name=Literal(model._meta.db_table)) for model in DISTRIBUTED]
    return SQL(GUARD).format(checks=SQL("").join(checks), organizations=table(Organization))


def _run(statement: Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text(statement))
