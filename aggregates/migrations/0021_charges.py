"""Charges: rows of the log that add a cost, which may be negative, and count as no call.

All rows so far are calls, and all sums so far are of calls alone: the new columns are 0 for them, which is right, so
nothing is summed anew. Calls are recorded meanwhile: constraints hold for what is new at once, and are validated beside
those who write. What is interrupted can be run again.
"""

from decimal import Decimal
from typing import Any

import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import NullIf
from django.db.models.lookups import Exact, GreaterThan
from psycopg import sql

KINDS = [("call", "Call"), ("charge", "Charge")]
HELP = "A charge (a credit, a refund, a seat, a fee) is no call: it adds its cost, which may be negative."
TOKENS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
SOURCES = ["reported", "table", "override", "priced"]
MAX_COST = 1_000_000_000

TEXTS = ("operation", "provider", "model", "user_id", "subject_id", "project")
NUMBERS = (
    *("total_errors", "total_unpriced_calls", "total_cost", "total_input_tokens", "total_cached_tokens"),
    *("total_cache_write_tokens", "total_output_tokens", "total_reasoning_tokens", "total_cache_hit_rate"),
    *("total_charges", "total_charge_cost"),
)

NAMED = models.Q(("request_id", ""), _negated=True) & (models.Q(("model", ""), _negated=True) | models.Q(kind="charge"))
COST_WITH_SOURCE = models.Q(cost=None, cost_source="none") | models.Q(
    cost__isnull=False, cost__gt=-MAX_COST, cost__lt=MAX_COST, cost_source__in=SOURCES
)
CHARGE_IS_COST = models.Q(kind="call") & (models.Q(cost=None) | models.Q(cost__gte=0)) | models.Q(
    **dict.fromkeys((*TOKENS, "cache_hit_rate"), 0),
    kind="charge",
    cost__isnull=False,
    cost_source="reported",
    latency_ms=None,
    status="ok",
)
HAS_ROWS = models.Q(total_calls__gte=0, total_charges__gte=0) & (
    models.Q(total_calls__gt=0) | models.Q(total_charges__gt=0)
)

# In one transaction, as it is one text.
TOTALS = """
    ALTER TABLE aggregates_dailyaggregate
        ADD COLUMN IF NOT EXISTS total_charges bigint DEFAULT 0 NOT NULL,
        ADD COLUMN IF NOT EXISTS total_charge_cost numeric(36, 12) DEFAULT 0 NOT NULL,
        DROP COLUMN IF EXISTS avg_cache_hit_rate,
        DROP CONSTRAINT IF EXISTS dailyaggregate_has_calls,
        DROP CONSTRAINT IF EXISTS dailyaggregate_has_rows;
    ALTER TABLE aggregates_dailyaggregate
        ADD COLUMN avg_cache_hit_rate numeric(17, 16)
            GENERATED ALWAYS AS (total_cache_hit_rate / NULLIF(total_calls, 0)) STORED,
        ADD CONSTRAINT dailyaggregate_has_rows CHECK (
            total_calls >= 0 AND total_charges >= 0 AND (total_calls > 0 OR total_charges > 0)
        );
"""
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
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        when=sql.SQL(when),
        units=sql.SQL(units),
        unit_in_id=sql.SQL(unit_in_id),
    )


CHUNKS = (
    sql.SQL("")
    .join(
        [
            sql.SQL(
                """
                ALTER TABLE aggregates_breakdownchunk
                    ADD COLUMN IF NOT EXISTS total_charges bigint[],
                    ADD COLUMN IF NOT EXISTS total_charge_cost numeric(36, 12)[],
                    DROP CONSTRAINT IF EXISTS breakdown_chunk_even;
                ALTER TABLE aggregates_breakdownchunk
                    ALTER total_charges SET STORAGE MAIN,
                    ALTER total_charge_cost SET STORAGE MAIN;
                DROP VIEW IF EXISTS aggregates_dailybreakdown, aggregates_periodbreakdown;
                """
            ),
            _view("aggregates_dailybreakdown", "chunk.first AS date", "chunk.unit = 'day'"),
            _view("aggregates_periodbreakdown", "chunk.unit, chunk.first", "chunk.unit <> 'day'", "'/' || chunk.unit"),
        ]
    )
    .as_string()
)


def _cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


EVEN = models.Q(
    GreaterThan(_cardinality("total_calls"), 0),
    *(Exact(_cardinality(name), _cardinality("total_calls")) for name in (*TEXTS, *NUMBERS)),
)


def _fields(name: str, cost: Any, count: Any) -> list[migrations.AddField]:
    return [
        migrations.AddField(model_name=name, name="total_charges", field=count),
        migrations.AddField(model_name=name, name="total_charge_cost", field=cost),
    ]


def _sums(name: str) -> list[migrations.AddField]:
    cost = models.DecimalField("cost of charges (USD)", max_digits=36, decimal_places=12, db_default=Decimal(0))
    return _fields(name, cost, models.BigIntegerField("charges", db_default=0))


def _array(base: Any) -> Any:
    return django.contrib.postgres.fields.ArrayField(base_field=base, null=True, size=None)


def _replaced(name: str, condition: models.Q) -> list[migrations.operations.base.Operation]:
    """Replace a constraint of the log by one that lets more pass, or add it."""
    return [
        migrations.RunSQL(
            sql.SQL("ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS {}")
            .format(sql.Identifier(name))
            .as_string(),
            migrations.RunSQL.noop,
        ),
        AddConstraintNotValid(model_name="usagelog", constraint=models.CheckConstraint(condition=condition, name=name)),
        ValidateConstraint(model_name="usagelog", name=name),
    ]


def _forgotten(name: str) -> migrations.SeparateDatabaseAndState:
    return migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveConstraint("usagelog", name)])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0020_billed_as")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog ADD COLUMN IF NOT EXISTS kind text DEFAULT 'call' NOT NULL",
            migrations.RunSQL.noop,
            state_operations=[
                migrations.AddField(
                    model_name="usagelog",
                    name="kind",
                    field=models.TextField(choices=KINDS, db_default="call", help_text=HELP),
                )
            ],
        ),
        _forgotten("usage_log_texts_given"),
        _forgotten("usage_log_cost_with_source"),
        *_replaced("usage_log_charge_is_cost", CHARGE_IS_COST),
        *_replaced("usage_log_texts_given", NAMED),
        *_replaced("usage_log_cost_with_source", COST_WITH_SOURCE),
        migrations.RunSQL(
            TOTALS,
            state_operations=[
                migrations.RemoveConstraint("dailyaggregate", "dailyaggregate_has_calls"),
                migrations.RemoveField(model_name="dailyaggregate", name="avg_cache_hit_rate"),
                *_sums("dailyaggregate"),
                migrations.AddField(
                    model_name="dailyaggregate",
                    name="avg_cache_hit_rate",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=models.F("total_cache_hit_rate") / NullIf(models.F("total_calls"), 0),
                        output_field=models.DecimalField(decimal_places=16, max_digits=17, null=True),
                    ),
                ),
                migrations.AddConstraint(
                    "dailyaggregate", models.CheckConstraint(condition=HAS_ROWS, name="dailyaggregate_has_rows")
                ),
            ],
        ),
        migrations.RunSQL(
            CHUNKS,
            state_operations=[
                migrations.RemoveConstraint("breakdownchunk", "breakdown_chunk_even"),
                *_fields(
                    "breakdownchunk",
                    _array(models.DecimalField(max_digits=36, decimal_places=12)),
                    _array(models.BigIntegerField()),
                ),
                *_sums("dailybreakdown"),
                *_sums("periodbreakdown"),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE aggregates_breakdownchunk DROP CONSTRAINT IF EXISTS breakdown_chunk_even",
            migrations.RunSQL.noop,
        ),
        AddConstraintNotValid(
            model_name="breakdownchunk",
            constraint=models.CheckConstraint(condition=EVEN, name="breakdown_chunk_even"),
        ),
        ValidateConstraint(model_name="breakdownchunk", name="breakdown_chunk_even"),
    ]
