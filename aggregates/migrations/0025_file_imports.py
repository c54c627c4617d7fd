"""Files that people import on a page: their bytes until they are imported, and what became of them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0023_breakdowns_by_tier_and_key"),
    ]

    operations = [
        migrations.CreateModel(
            name="FileImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                ),
                ("name", models.CharField(max_length=200)),
                ("size", models.BigIntegerField(help_text="Bytes.")),
                ("base", models.CharField(blank=True, default="auto", max_length=64)),
                ("paths", models.JSONField(default=dict)),
                ("values", models.JSONField(default=dict)),
                ("skip_rejected", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "Waits for your word"),
                            ("queued", "Waits for its turn"),
                            ("running", "Is being imported"),
                            ("done", "Imported"),
                            ("failed", "Not imported"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="ready",
                        max_length=16,
                    ),
                ),
                ("cancel_asked", models.BooleanField(default=False)),
                ("attempts", models.IntegerField(default=0)),
                ("queued_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("position", models.BigIntegerField(default=0, help_text="Bytes that were read.")),
                ("rows", models.BigIntegerField(default=0)),
                ("new", models.BigIntegerField(default=0)),
                ("already_there", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("left_out", models.BigIntegerField(default=0)),
                ("pieces", models.BigIntegerField(default=0)),
                ("earliest", models.DateTimeField(null=True)),
                ("latest", models.DateTimeField(null=True)),
                ("recognized", models.CharField(blank=True, default="", max_length=64)),
                ("details", models.JSONField(default=dict)),
                ("problem", models.TextField(blank=True, default="")),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="file_imports",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="FileChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("data", models.BinaryField()),
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="aggregates.fileimport",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="fileimport",
            index=models.Index(fields=["organization", "-created_at"], name="file_import_by_time"),
        ),
        migrations.AddConstraint(
            model_name="fileimport",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["ready", "queued", "running", "done", "failed", "cancelled"])),
                name="file_import_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="fileimport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("already_there__gte", 0),
                    ("attempts__gte", 0),
                    ("left_out__gte", 0),
                    ("new__gte", 0),
                    ("pieces__gte", 0),
                    ("position__gte", 0),
                    ("rejected__gte", 0),
                    ("rows__gte", 0),
                    ("size__gte", 0),
                ),
                name="file_import_counts",
            ),
        ),
        migrations.AddConstraint(
            model_name="fileimport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("earliest", None), ("latest", None)),
                    ("latest__gte", models.F("earliest")),
                    _connector="OR",
                ),
                name="file_import_span",
            ),
        ),
        migrations.AddConstraint(
            model_name="fileimport",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("queued", "running"))),
                fields=("organization",),
                name="file_import_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="filechunk",
            constraint=models.UniqueConstraint(fields=("file", "number"), name="file_chunk_once"),
        ),
    ]
