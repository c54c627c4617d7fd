"""Daily aggregates, and the state of each day."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0002_usage_log")]

    operations = [
        migrations.CreateModel(
            name="DailyBreakdown",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("total_calls", models.BigIntegerField(verbose_name="calls")),
                ("total_errors", models.BigIntegerField(verbose_name="errors")),
                ("total_unpriced_calls", models.BigIntegerField(verbose_name="calls without a price")),
                ("total_cost", models.DecimalField(decimal_places=12, max_digits=36, verbose_name="cost (USD)")),
                ("total_input_tokens", models.BigIntegerField(verbose_name="input tokens")),
                ("total_cached_tokens", models.BigIntegerField(verbose_name="cached tokens")),
                ("total_cache_write_tokens", models.BigIntegerField(verbose_name="cache-write tokens")),
                ("total_output_tokens", models.BigIntegerField(verbose_name="output tokens")),
                ("total_reasoning_tokens", models.BigIntegerField(verbose_name="reasoning tokens")),
                (
                    "total_cache_hit_rate",
                    models.DecimalField(decimal_places=8, max_digits=28, verbose_name="sum of cache hit rates"),
                ),
                ("grain", models.TextField()),
                ("date", models.DateField()),
                ("operation", models.TextField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("user_id", models.TextField()),
                ("subject_id", models.TextField()),
                ("project", models.TextField()),
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DailyAggregate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("total_calls", models.BigIntegerField(verbose_name="calls")),
                ("total_errors", models.BigIntegerField(verbose_name="errors")),
                ("total_unpriced_calls", models.BigIntegerField(verbose_name="calls without a price")),
                ("total_cost", models.DecimalField(decimal_places=12, max_digits=36, verbose_name="cost (USD)")),
                ("total_input_tokens", models.BigIntegerField(verbose_name="input tokens")),
                ("total_cached_tokens", models.BigIntegerField(verbose_name="cached tokens")),
                ("total_cache_write_tokens", models.BigIntegerField(verbose_name="cache-write tokens")),
                ("total_output_tokens", models.BigIntegerField(verbose_name="output tokens")),
                ("total_reasoning_tokens", models.BigIntegerField(verbose_name="reasoning tokens")),
                (
                    "total_cache_hit_rate",
                    models.DecimalField(decimal_places=8, max_digits=28, verbose_name="sum of cache hit rates"),
                ),
                ("date", models.DateField(db_index=True)),
                (
                    "avg_cache_hit_rate",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            models.F("total_cache_hit_rate"), "/", models.F("total_calls")
                        ),
                        output_field=models.DecimalField(decimal_places=16, max_digits=17),
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
                "ordering": ["-date", "organization"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="StaleDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField()),
                ("marked_at", models.DateTimeField(auto_now_add=True)),
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
        ),
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField()),
                ("sealed_at", models.DateTimeField(null=True)),
                ("rolled_at", models.DateTimeField(null=True)),
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
        ),
        migrations.AddConstraint(
            model_name="dailybreakdown",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_calls__gt", 0)), name="dailybreakdown_has_calls"
            ),
        ),
        migrations.AddConstraint(
            model_name="dailybreakdown",
            constraint=models.UniqueConstraint(
                fields=(
                    "organization",
                    "grain",
                    "date",
                    "operation",
                    "provider",
                    "model",
                    "user_id",
                    "subject_id",
                    "project",
                ),
                name="daily_breakdown_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="dailyaggregate",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_calls__gt", 0)), name="dailyaggregate_has_calls"
            ),
        ),
        migrations.AddConstraint(
            model_name="dailyaggregate",
            constraint=models.UniqueConstraint(fields=("organization", "date"), name="daily_aggregate_once"),
        ),
        migrations.AddIndex(
            model_name="staleday",
            index=models.Index(fields=["organization", "date"], name="stale_day"),
        ),
        migrations.AddIndex(
            model_name="usageday",
            index=models.Index(
                condition=models.Q(("rolled_at", None)), fields=["date", "organization"], name="usage_day_unrolled"
            ),
        ),
        migrations.AddConstraint(
            model_name="usageday",
            constraint=models.UniqueConstraint(fields=("organization", "date"), name="usage_day_once"),
        ),
        migrations.AddConstraint(
            model_name="usageday",
            constraint=models.CheckConstraint(
                condition=models.Q(("rolled_at", None), ("sealed_at__isnull", False), _connector="OR"),
                name="usage_day_sealed_first",
            ),
        ),
    ]
