"""The sums of hours of recent days: a table of their own, empty at first; days are renewed one by one afterwards.

Nothing that is there changes, so calls are recorded, rolled up and read meanwhile.
"""

from typing import Any

import django.db.models.deletion
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models.lookups import Exact, GreaterThan
from psycopg import sql

TEXTS = ("user_id", "operation", "provider", "model", "project", "service_tier", "key")
BEFORE_COST = ("total_errors", "total_unpriced_calls")
TOKENS = (
    "total_input_tokens",
    "total_cached_tokens",
    "total_cache_write_tokens",
    "total_output_tokens",
    "total_reasoning_tokens",
)
MEASURES = (
    *("total_calls", *BEFORE_COST, "total_cost", *TOKENS, "total_cache_hit_rate"),
    *("total_charges", "total_charge_cost"),
)
ARRAYS = ("hour", *TEXTS, *MEASURES)
# Beside each other in the row, packed: to look elsewhere for each array would take longer.
STORE = (
    sql.SQL(" ")
    .join(
        sql.SQL("ALTER TABLE aggregates_hourchunk ALTER {} SET STORAGE MAIN;").format(sql.Identifier(column))
        for column in ARRAYS
    )
    .as_string()
)


def _texts() -> Any:
    return ArrayField(base_field=models.TextField(), null=True, size=None)


def _counts() -> Any:
    return ArrayField(base_field=models.BigIntegerField(), null=True, size=None)


def _decimals(max_digits: int, decimal_places: int) -> Any:
    field = models.DecimalField(max_digits=max_digits, decimal_places=decimal_places)
    return ArrayField(base_field=field, null=True, size=None)


def _cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


EVEN = models.CheckConstraint(
    condition=models.Q(
        GreaterThan(_cardinality("total_calls"), 0),
        *(Exact(_cardinality(name), _cardinality("total_calls")) for name in ARRAYS if name != "total_calls"),
    ),
    name="hour_chunk_even",
)


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0048_ranked_chunks")]

    operations = [
        migrations.AddField(
            model_name="usageday",
            name="hours_at",
            field=models.DateTimeField(
                null=True,
                help_text="When its hours were summed, too: they count while that is when it was rolled up last.",
            ),
        ),
        migrations.CreateModel(
            name="HourChunk",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization",
                        "date",
                        "grain",
                        "part",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("date", models.DateField(db_index=True)),
                ("part", models.IntegerField()),
                ("grain", models.TextField()),
                ("hour", ArrayField(base_field=models.SmallIntegerField(), size=None)),
                *((name, _texts()) for name in TEXTS),
                ("total_calls", ArrayField(base_field=models.BigIntegerField(), size=None)),
                *((name, _counts()) for name in BEFORE_COST),
                ("total_cost", _decimals(36, 12)),
                *((name, _counts()) for name in TOKENS),
                ("total_cache_hit_rate", _decimals(28, 8)),
                ("total_charges", _counts()),
                ("total_charge_cost", _decimals(36, 12)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={"constraints": [EVEN]},
        ),
        migrations.RunSQL(STORE, migrations.RunSQL.noop),
    ]
