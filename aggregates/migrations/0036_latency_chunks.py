"""Histograms of latencies: a table of their own, empty at first; days are renewed one by one afterwards.

Nothing that is there changes, so calls are recorded, rolled up and read meanwhile.
"""

from typing import Any

import django.db.models.deletion
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models.lookups import Exact, GreaterThan
from psycopg import sql

TEXTS = ("operation", "provider", "model", "project", "service_tier", "key")
# Beside each other in the row, packed: to look elsewhere for each array would take longer.
STORE = (
    sql.SQL(" ")
    .join(
        sql.SQL("ALTER TABLE aggregates_latencychunk ALTER {} SET STORAGE MAIN;").format(sql.Identifier(column))
        for column in (*TEXTS, "place", "term", "amount")
    )
    .as_string()
)


def _texts() -> Any:
    return ArrayField(base_field=models.TextField(), null=True, size=None)


def _cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


EVEN = models.CheckConstraint(
    condition=models.Q(
        GreaterThan(_cardinality("amount"), 0),
        *(Exact(_cardinality(name), _cardinality("amount")) for name in ("place", "term")),
        *(Exact(_cardinality(name), models.F("groups")) for name in TEXTS),
    ),
    name="latency_chunk_even",
)


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0035_stored_selections")]

    operations = [
        migrations.CreateModel(
            name="LatencyChunk",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization",
                        "first",
                        "unit",
                        "grain",
                        "part",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("first", models.DateField()),
                ("part", models.IntegerField()),
                ("grain", models.TextField()),
                ("unit", models.TextField(choices=[("day", "day"), ("month", "month")])),
                *((name, _texts()) for name in TEXTS),
                ("groups", models.SmallIntegerField()),
                ("place", ArrayField(base_field=models.SmallIntegerField(), null=True, size=None)),
                ("term", ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ("amount", ArrayField(base_field=models.BigIntegerField(), size=None)),
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
