"""What arrived, counted by source and hour: a table of its own, and empty."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0025_file_imports"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArrivalCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file", models.CharField(blank=True, db_default="", max_length=100)),
                ("hour", models.DateTimeField(db_index=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("request", "Requests or files that were taken"),
                            ("refused", "Requests or files that were refused whole"),
                            ("accepted", "Calls that were new"),
                            ("duplicate", "Calls that were there already"),
                            ("conflict", "Calls that were there already, with other values"),
                            ("rejected", "Calls that were rejected"),
                            ("adjusted", "Fields that were shortened or left out"),
                            ("not_understood", "Spans that look like calls and were not understood"),
                            ("same_call", "Calls that were taken for the same as another's"),
                            ("doubt", "Pairs of calls that may be one, and are counted as two"),
                            ("no_call", "What is no call"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(blank=True, db_default="", max_length=200)),
                ("count", models.BigIntegerField()),
                ("last_at", models.DateTimeField()),
                (
                    "api_key",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="aggregates.apikey"
                    ),
                ),
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
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "hour", "api_key", "file", "outcome", "reason"),
                        name="arrival_count_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("api_key", None), ("file", ""), _connector="XOR"),
                        name="arrival_count_of_key_or_file",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "outcome__in",
                                [
                                    "request",
                                    "refused",
                                    "accepted",
                                    "duplicate",
                                    "conflict",
                                    "rejected",
                                    "adjusted",
                                    "not_understood",
                                    "same_call",
                                    "doubt",
                                    "no_call",
                                ],
                            )
                        ),
                        name="arrival_count_outcome_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("count__gt", 0)), name="arrival_count_of_something"),
                ],
            },
        ),
    ]
