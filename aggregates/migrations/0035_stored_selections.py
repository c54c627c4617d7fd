"""Filters that are too long for an address."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0034_day_notes")]

    operations = [
        migrations.CreateModel(
            name="StoredSelection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=32)),
                ("filters", models.JSONField()),
                ("excluded", models.JSONField()),
                ("used_at", models.DateTimeField(db_default=Now())),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stored_selections",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organization", "used_at"], name="stored_selection_used")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "key"), name="stored_selection_once"),
                ],
            },
        ),
    ]
