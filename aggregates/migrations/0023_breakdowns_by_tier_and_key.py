"""Breakdowns by tier and key: two more arrays in each chunk, none where no call has one, and both in the views.

Prices have a tier and units, keys their labels, and organizations choose attributes: their tables are small, and what is
done to them is done at once, or not at all.

Chunks that are there stay as they are, under the names of their grains; days are renewed one by one afterwards.
"""

from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models.lookups import Exact, GreaterThan
from psycopg import sql

ADDED = ("service_tier", "key")
TEXTS = ("operation", "provider", "model", "user_id", "subject_id", "project", *ADDED)
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
    "total_charges",
    "total_charge_cost",
)
STORE = sql.SQL(" ").join(
    sql.SQL("ALTER TABLE aggregates_breakdownchunk ALTER {} SET STORAGE MAIN;").format(sql.Identifier(column))
    for column in ADDED
)
OF_KEYS = "Labels of every call that comes with the key: texts by name."
ATTRIBUTES = "Attributes of OpenTelemetry spans, and keys of LiteLLM's metadata, that are kept as labels."
DROP = "DROP VIEW aggregates_dailybreakdown; DROP VIEW aggregates_periodbreakdown;"
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


def _view(texts: tuple[str, ...], name: str, when: str, units: str, unit_in_id: str = "''") -> sql.Composed:
    columns = (*texts, "total_calls", *NUMBERS)
    filled = sql.SQL("COALESCE(groups.{column}, {nothing}) AS {column}")
    return VIEW.format(
        view=sql.Identifier(name),
        texts=sql.SQL(", ").join(filled.format(column=sql.Identifier(c), nothing=sql.Literal("")) for c in texts),
        numbers=sql.SQL(", ").join(filled.format(column=sql.Identifier(c), nothing=sql.Literal(0)) for c in NUMBERS),
        arrays=sql.SQL(", ").join(sql.Identifier("chunk", column) for column in columns),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        when=sql.SQL(when),
        units=sql.SQL(units),
        unit_in_id=sql.SQL(unit_in_id),
    )


def _views(texts: tuple[str, ...]) -> str:
    views = [
        _view(texts, "aggregates_dailybreakdown", "chunk.first AS date", "chunk.unit = 'day'"),
        _view(
            texts,
            "aggregates_periodbreakdown",
            "chunk.unit, chunk.first",
            "chunk.unit <> 'day'",
            "'/' || chunk.unit",
        ),
    ]
    return sql.Composed(views).as_string()


def _texts() -> Any:
    return django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None)


def _cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


EVEN = models.CheckConstraint(
    condition=models.Q(
        GreaterThan(_cardinality("total_calls"), 0),
        *(Exact(_cardinality(name), _cardinality("total_calls")) for name in (*TEXTS, *NUMBERS)),
    ),
    name="breakdown_chunk_even",
)


def _nothing(value: Any) -> Any:
    return models.Value(value, models.JSONField())


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0022_tiers_units_labels")]

    operations = [
        migrations.AddField(
            "priceoverride", "tier", models.CharField(max_length=256, blank=True, default="", db_default="")
        ),
        migrations.AddField(
            "priceoverride", "units", models.JSONField(default=dict, db_default=_nothing({}), blank=True)
        ),
        migrations.RemoveConstraint("priceoverride", "price_override_once"),
        migrations.AddConstraint(
            "priceoverride",
            models.UniqueConstraint(
                fields=["organization", "pattern", "tier", "first"], name="price_override_once", nulls_distinct=False
            ),
        ),
        migrations.AddField(
            "apikey",
            "labels",
            models.JSONField(default=dict, db_default=_nothing({}), blank=True, help_text=OF_KEYS),
        ),
        migrations.AddField(
            "organization",
            "label_attributes",
            models.JSONField(default=list, db_default=_nothing([]), blank=True, help_text=ATTRIBUTES),
        ),
        migrations.RunSQL(DROP, _views(TEXTS[: -len(ADDED)])),
        *(migrations.AddField("breakdownchunk", name, _texts()) for name in ADDED),
        migrations.RunSQL(STORE.as_string(), migrations.RunSQL.noop),
        migrations.RemoveConstraint("breakdownchunk", "breakdown_chunk_even"),
        migrations.AddConstraint("breakdownchunk", EVEN),
        migrations.RunSQL(
            _views(TEXTS),
            DROP,
            state_operations=[
                migrations.AddField(model, name, models.TextField(default=""), preserve_default=False)
                for model in ("dailybreakdown", "periodbreakdown")
                for name in ADDED
            ],
        ),
    ]
