"""Breakdowns packed into arrays: what is there is converted, in the same transaction, and nothing is summed anew.

Rolling up waits meanwhile; the site can go on reading until the old tables are dropped at the end. It needs room for
the new table beside the old ones, about a tenth of these, and a minute or so for every few million rows. An
organization's month of one grain is converted at a time, so memory does not grow with the tables.

Of the grains that are no more (operation, provider, model and project alone) the rows go: the grain of all four holds
the same sums, of the same days.
"""

import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.lookups
from django.db import migrations, models
from psycopg import sql

GRAINS = (
    "user",
    "subject",
    "operation+provider+model+project",
    "operation+provider+model+user+project",
    "operation+provider+model+subject+project",
    "user+subject",
)
# Nearly every pair of a subject with anything else comes up in one month only: these are read day by day.
NOT_BY_MONTH = ("operation+provider+model+subject+project", "user+subject")
TEXTS = ("operation", "provider", "model", "user_id", "subject_id", "project")
NUMBERS = (
    "total_errors",
    "total_unpriced_calls",
    "total_cost",
    "total_input_tokens",
    "total_cached_tokens",
    "total_cache_write_tokens",
    "total_output_tokens",
    "total_reasoning_tokens",
    "total_cache_hit_rate",
)
GROUPS = 250  # at most, in a chunk

logger = logging.getLogger(__name__)


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _array(column: str, nothing: sql.SQL) -> sql.Composed:
    """An array of the column, NULL where it would hold nothing."""
    return sql.SQL("CASE WHEN bool_or({column} <> {nothing}) THEN array_agg({column}) END").format(
        column=sql.Identifier(column), nothing=nothing
    )


ARRAYS = sql.SQL(", ").join(
    [
        *(_array(column, sql.SQL("''")) for column in TEXTS),
        sql.SQL("array_agg(total_calls)"),
        *(_array(column, sql.SQL("0")) for column in NUMBERS),
    ]
)
PACK = sql.SQL(
    """
    INSERT INTO aggregates_breakdownchunk (organization_id, grain, unit, first, part, {columns})
    SELECT organization_id, grain, unit, first, part, {arrays}
    FROM (
        SELECT organization_id, grain, {unit} AS unit, {first} AS first, {columns},
               (row_number() OVER (PARTITION BY {first} ORDER BY {texts}) - 1) / {groups} AS part
        FROM {table}
        WHERE organization_id = %(organization)s AND grain = %(grain)s
          AND {first} >= %(month)s AND {first} < %(month)s + interval '1 month' {kept}
    ) AS numbered
    GROUP BY organization_id, grain, unit, first, part
    ORDER BY organization_id, grain, unit, first, part
    """
)


def _pack(table: str, unit: sql.Composable, first: str, kept: str = "") -> str:
    return PACK.format(
        columns=_names((*TEXTS, "total_calls", *NUMBERS)),
        arrays=ARRAYS,
        unit=unit,
        first=sql.Identifier(first),
        texts=_names(TEXTS),
        groups=sql.Literal(GROUPS),
        table=sql.Identifier(table),
        kept=sql.SQL(kept),
    ).as_string()


PACK_DAYS = _pack("aggregates_dailybreakdown", sql.Literal("day"), "date")
PACK_PERIODS = _pack(
    "aggregates_periodbreakdown",
    sql.Identifier("unit"),
    "first",
    "AND (unit = 'week' OR grain <> ALL(%(not_by_month)s))",
)


def _months(first: date, last: date) -> Iterator[date]:
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)


def pack(apps: Any, schema_editor: Any) -> None:
    """Convert every organization's breakdowns, one grain's month at a time."""
    with schema_editor.connection.cursor() as cursor:
        # Who rolls up waits; who reads goes on.
        cursor.execute("LOCK TABLE aggregates_periodbreakdown, aggregates_dailybreakdown IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(
            "SELECT organization_id, min(date), max(date) FROM aggregates_dailyaggregate GROUP BY 1 ORDER BY 1"
        )
        for organization, first, last in cursor.fetchall():
            chunks = 0
            # The week that the first day is in may begin in the month before.
            months = list(_months(date.fromordinal(max(first.toordinal() - 6, 1)), last))
            for grain in GRAINS:
                for month in months:
                    parameters = {"organization": organization, "grain": grain, "month": month}
                    cursor.execute(PACK_DAYS, parameters)
                    chunks += cursor.rowcount
                    cursor.execute(PACK_PERIODS, {**parameters, "not_by_month": list(NOT_BY_MONTH)})
                    chunks += cursor.rowcount
            logger.info("Breakdowns of organization %d, %s to %s, are in %d chunks.", organization, first, last, chunks)


STORE = sql.SQL(" ").join(
    sql.SQL("ALTER TABLE aggregates_breakdownchunk ALTER {} SET STORAGE MAIN;").format(sql.Identifier(column))
    for column in (*TEXTS, "total_calls", *NUMBERS)
)
VIEW = sql.SQL(
    """
    CREATE VIEW {view} AS
    SELECT chunk.organization_id || '/' || chunk.grain || {unit_in_id} || '/' || chunk.first || '/' || chunk.part
               || '/' || number AS id,
           chunk.organization_id, chunk.grain, chunk.part, {texts}, groups.total_calls, {numbers}, {when}
    FROM aggregates_breakdownchunk AS chunk
    CROSS JOIN LATERAL unnest({arrays}) WITH ORDINALITY AS groups ({columns}, number)
    WHERE {units};
    """
)


def _view(name: str, when: str, units: str, unit_in_id: str = "''") -> sql.Composed:
    columns = (*TEXTS, "total_calls", *NUMBERS)
    filled = sql.SQL("COALESCE(groups.{column}, {nothing}) AS {column}")
    return VIEW.format(
        view=sql.Identifier(name),
        texts=sql.SQL(", ").join(filled.format(column=sql.Identifier(c), nothing=sql.Literal("")) for c in TEXTS),
        numbers=sql.SQL(", ").join(filled.format(column=sql.Identifier(c), nothing=sql.Literal(0)) for c in NUMBERS),
        arrays=sql.SQL(", ").join(sql.Identifier("chunk", column) for column in columns),
        columns=_names(columns),
        when=sql.SQL(when),
        units=sql.SQL(units),
        unit_in_id=sql.SQL(unit_in_id),
    )


VIEWS = (
    sql.SQL("")
    .join(
        [
            sql.SQL("DROP TABLE aggregates_periodbreakdown; DROP TABLE aggregates_dailybreakdown;"),
            _view("aggregates_dailybreakdown", "chunk.first AS date", "chunk.unit = 'day'"),
            _view("aggregates_periodbreakdown", "chunk.unit, chunk.first", "chunk.unit <> 'day'", "'/' || chunk.unit"),
        ]
    )
    .as_string()
)


def _texts() -> Any:
    return django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None)


def _counts(null: bool = True) -> Any:
    return django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=null, size=None)


def _decimals(max_digits: int, decimal_places: int) -> Any:
    base = models.DecimalField(max_digits=max_digits, decimal_places=decimal_places)
    return django.contrib.postgres.fields.ArrayField(base_field=base, null=True, size=None)


def _cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


def _organization(on_delete: Any) -> Any:
    return models.ForeignKey(db_index=False, on_delete=on_delete, related_name="+", to="aggregates.organization")


def _rows(*when: tuple[str, Any]) -> list[tuple[str, Any]]:
    """The fields of a view."""
    return [
        ("total_calls", models.BigIntegerField(verbose_name="calls")),
        ("total_errors", models.BigIntegerField(verbose_name="errors")),
        ("total_unpriced_calls", models.BigIntegerField(verbose_name="calls without a price")),
        ("total_cost", models.DecimalField(decimal_places=12, max_digits=36, verbose_name="cost (USD)")),
        ("total_input_tokens", models.BigIntegerField(verbose_name="input tokens")),
        ("total_cached_tokens", models.BigIntegerField(verbose_name="cached tokens")),
        ("total_cache_write_tokens", models.BigIntegerField(verbose_name="cache-write tokens")),
        ("total_output_tokens", models.BigIntegerField(verbose_name="output tokens")),
        ("total_reasoning_tokens", models.BigIntegerField(verbose_name="reasoning tokens")),
        (
            "total_cache_hit_rate",
            models.DecimalField(decimal_places=8, max_digits=28, verbose_name="sum of cache hit rates"),
        ),
        ("id", models.TextField(primary_key=True, serialize=False)),
        ("grain", models.TextField()),
        ("part", models.IntegerField()),
        *((name, models.TextField()) for name in TEXTS),
        *when,
        ("organization", _organization(django.db.models.deletion.DO_NOTHING)),
    ]


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0015_kept_days")]

    operations = [
        migrations.CreateModel(
            name="BreakdownChunk",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization",
                        "grain",
                        "unit",
                        "first",
                        "part",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("organization", _organization(django.db.models.deletion.CASCADE)),
                ("first", models.DateField()),
                ("part", models.IntegerField()),
                ("grain", models.TextField()),
                ("unit", models.TextField(choices=[("day", "day"), ("week", "week"), ("month", "month")])),
                *((name, _texts()) for name in TEXTS),
                ("total_calls", _counts(null=False)),
                ("total_errors", _counts()),
                ("total_unpriced_calls", _counts()),
                ("total_cost", _decimals(36, 12)),
                ("total_input_tokens", _counts()),
                ("total_cached_tokens", _counts()),
                ("total_cache_write_tokens", _counts()),
                ("total_output_tokens", _counts()),
                ("total_reasoning_tokens", _counts()),
                ("total_cache_hit_rate", _decimals(28, 8)),
            ],
            options={
                "indexes": [models.Index(fields=["first", "unit"], name="breakdown_chunk_by_first")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            django.db.models.lookups.GreaterThan(_cardinality("total_calls"), 0),
                            *(
                                django.db.models.lookups.Exact(_cardinality(name), _cardinality("total_calls"))
                                for name in (*TEXTS, *NUMBERS)
                            ),
                        ),
                        name="breakdown_chunk_even",
                    )
                ],
            },
        ),
        migrations.RunSQL(STORE.as_string()),
        # Few organizations, grains and units have nearly all chunks: without this, the planner expects some of them.
        migrations.RunSQL(
            "CREATE STATISTICS breakdown_chunk_together ON organization_id, grain, unit, first "
            "FROM aggregates_breakdownchunk"
        ),
        migrations.RunPython(pack),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(VIEWS)],
            state_operations=[
                migrations.DeleteModel("DailyBreakdown"),
                migrations.DeleteModel("PeriodBreakdown"),
                migrations.CreateModel(
                    name="DailyBreakdown",
                    fields=_rows(("date", models.DateField())),
                    options={"managed": False, "abstract": False},
                ),
                migrations.CreateModel(
                    name="PeriodBreakdown",
                    fields=_rows(("unit", models.TextField()), ("first", models.DateField())),
                    options={"managed": False, "abstract": False},
                ),
            ],
        ),
    ]
