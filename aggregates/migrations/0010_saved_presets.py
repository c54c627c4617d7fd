"""Mappings of files, kept under a name."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0009_reported_spans"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedPreset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64)),
                ("base", models.CharField(blank=True, max_length=64)),
                ("paths", models.JSONField()),
                ("values", models.JSONField()),
                ("start", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_presets",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="saved_preset_once"),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="saved_preset_named"),
                ],
            },
        ),
    ]
