"""Changing the table of the log while others use it: what takes long holds up nobody. Migrations use this."""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from psycopg import sql

LOG = "aggregates_usagelog"


def add_index(
    schema_editor: BaseDatabaseSchemaEditor, name: str, columns: str, condition: str, suffix: str = ""
) -> None:
    """Build an index on each partition, beside those who write to it, and then make one of them; outside of a
    transaction, and as often as it takes: what an interrupted build left is built anew.

    `suffix` ends the names of the partitions' indexes, where another index has the same columns.
    """
    what = sql.SQL("({columns}) WHERE {condition}").format(columns=sql.SQL(columns), condition=sql.SQL(condition))
    suffix = suffix or "_".join(part.strip() for part in columns.split(","))
    with schema_editor.connection.cursor() as cursor:

        def execute(statement: str, **parts: sql.Composable) -> None:
            cursor.execute(sql.SQL(statement).format(**parts, what=what, log=sql.Identifier(LOG)).as_string())

        whole = sql.Identifier(name)
        execute("CREATE INDEX IF NOT EXISTS {index} ON ONLY {log} {what}", index=whole)
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = %s::regclass ORDER BY 1",
            [LOG],
        )
        for (partition,) in cursor.fetchall():
            part = sql.Identifier(f"{partition}_{suffix}_idx")
            cursor.execute(
                "SELECT indisvalid, EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid) "
                "FROM pg_index WHERE indexrelid = to_regclass(%s)",
                [part.as_string()],
            )
            is_valid, is_attached = cursor.fetchone() or (None, False)
            # These wait for transactions that are older, and nobody waits behind them.
            cursor.execute("SET lock_timeout = 0")
            if is_valid is False:
                execute("DROP INDEX CONCURRENTLY {index}", index=part)
            if not is_valid:
                table = sql.Identifier(partition)
                execute("CREATE INDEX CONCURRENTLY {index} ON {table} {what}", index=part, table=table)
            cursor.execute("SET lock_timeout TO DEFAULT")
            if not is_attached:
                execute("ALTER INDEX {whole} ATTACH PARTITION {index}", whole=whole, index=part)
