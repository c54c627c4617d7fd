"""The history of runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0005_log_from"),
    ]

    operations = [
        migrations.CreateModel(
            name="RollUpRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "job",
                    models.TextField(
                        choices=[
                            ("nightly", "Nightly"),
                            ("repair", "Repair"),
                            ("command", "Command"),
                            ("admin", "By hand, in the admin"),
                        ]
                    ),
                ),
                ("started_at", models.DateTimeField(db_index=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "days",
                    models.BigIntegerField(default=0, help_text="Closed days of organizations that were rolled up."),
                ),
                ("rows", models.BigIntegerField(default=0, help_text="Rows of aggregates that were written.")),
                (
                    "compared",
                    models.BigIntegerField(
                        default=0, help_text="Days of organizations that were compared with the log."
                    ),
                ),
                (
                    "mismatches",
                    models.BigIntegerField(
                        default=0, help_text="Of those, days that differed from the log.", verbose_name="differed"
                    ),
                ),
                (
                    "differences",
                    models.TextField(
                        blank=True, help_text="Which days differed from the log, and what became of them."
                    ),
                ),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "run",
                "ordering": ["-started_at"],
                "indexes": [models.Index(fields=["job", "-started_at"], name="run_by_job")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("job__in", ["nightly", "repair", "command", "admin"])), name="run_job_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("finished_at", None), ("finished_at__gte", models.F("started_at")), _connector="OR"
                        ),
                        name="run_ends_after_its_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("compared__gte", 0), ("days__gte", 0), ("mismatches__gte", 0), ("rows__gte", 0)
                        ),
                        name="run_counts",
                    ),
                ],
            },
        ),
    ]
