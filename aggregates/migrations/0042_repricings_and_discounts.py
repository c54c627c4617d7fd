"""Past calls that are priced anew as asked for on a page, what they cost before, and discounts on published prices."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0041_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="Repricing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("pattern", models.CharField(max_length=256, verbose_name="model")),
                ("first", models.DateField(null=True)),
                ("last", models.DateField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waits for its turn"),
                            ("running", "Under way"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("is_undo", models.BooleanField(db_default=False, default=False)),
                ("queued_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.BigIntegerField(db_default=0, default=0)),
                ("expected", models.BigIntegerField(db_default=0, default=0)),
                ("rows", models.BigIntegerField(db_default=0, default=0)),
                ("calls", models.BigIntegerField(db_default=0, default=0)),
                ("unpriced_before", models.BigIntegerField(db_default=0, default=0)),
                ("unpriced_after", models.BigIntegerField(db_default=0, default=0)),
                ("restored", models.BigIntegerField(db_default=0, default=0)),
                ("before", models.DecimalField(db_default=0, decimal_places=12, default=0, max_digits=36)),
                ("after", models.DecimalField(db_default=0, decimal_places=12, default=0, max_digits=36)),
                ("problem", models.TextField(blank=True, db_default="", default="")),
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
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="aggregates.organization",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="FormerCost",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization",
                        "repricing",
                        "call",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("call", models.BigIntegerField(help_text="Its number in the log.")),
                ("timestamp", models.DateTimeField()),
                ("cost", models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ("cost_source", models.TextField()),
                ("new_cost", models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ("new_source", models.TextField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="aggregates.organization",
                    ),
                ),
                (
                    "repricing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_costs",
                        to="aggregates.repricing",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Discount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=256)),
                (
                    "percent",
                    models.DecimalField(
                        decimal_places=2,
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                ("first", models.DateField(blank=True, null=True, verbose_name="from")),
                ("last", models.DateField(blank=True, null=True, verbose_name="to")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
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
                        related_name="discounts",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("provider", ""), _negated=True), name="discount_of_a_provider"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("percent__gt", 0), ("percent__lte", 100)), name="discount_percent_in_range"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first", None), ("last", None), ("last__gte", models.F("first")), _connector="OR"
                        ),
                        name="discount_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "provider", "first"), name="discount_once", nulls_distinct=False
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="repricing",
            index=models.Index(fields=["organization", "-created_at"], name="repricing_by_time"),
        ),
        migrations.AddConstraint(
            model_name="repricing",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "running", "done", "failed"])), name="repricing_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="repricing",
            constraint=models.CheckConstraint(
                condition=models.Q(("pattern", ""), _negated=True), name="repricing_of_a_model"
            ),
        ),
        migrations.AddConstraint(
            model_name="repricing",
            constraint=models.CheckConstraint(
                condition=models.Q(("first", None), ("last", None), ("last__gte", models.F("first")), _connector="OR"),
                name="repricing_ends_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="repricing",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("attempts__gte", 0),
                    ("calls__gte", 0),
                    ("expected__gte", 0),
                    ("restored__gte", 0),
                    ("rows__gte", 0),
                    ("unpriced_after__gte", 0),
                    ("unpriced_before__gte", 0),
                ),
                name="repricing_numbers_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="repricing",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("queued", "running"))),
                fields=("organization",),
                name="repricing_one_at_a_time",
            ),
        ),
    ]
