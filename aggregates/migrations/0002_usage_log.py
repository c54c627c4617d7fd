"""The usage log, partitioned by month."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
import django.utils.timezone
from django.db import migrations, models

# Django has no partitioned tables. A primary key would have to hold the timestamp too, so there is none: `id` is
# unique by its sequence. aggregates.db.partitions makes the months' partitions, each with a unique index of
# (organization_id, request_id).
CREATE = """
CREATE SEQUENCE aggregates_usagelog_id_seq AS bigint CACHE 100;
CREATE TABLE aggregates_usagelog (
    id bigint NOT NULL DEFAULT nextval('aggregates_usagelog_id_seq'),
    organization_id bigint NOT NULL REFERENCES aggregates_organization (id) DEFERRABLE INITIALLY DEFERRED,
    "timestamp" timestamptz NOT NULL,
    request_id text NOT NULL,
    operation text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    user_id text NOT NULL,
    subject_id text NOT NULL,
    project text NOT NULL,
    status text NOT NULL,
    input_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    latency_ms bigint,
    cost numeric(24, 12),
    cost_source text NOT NULL,
    cache_hit_rate numeric(9, 8) NOT NULL,
    received_at timestamptz NOT NULL DEFAULT statement_timestamp()
) PARTITION BY RANGE ("timestamp");
ALTER SEQUENCE aggregates_usagelog_id_seq OWNED BY aggregates_usagelog.id;
"""


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0001_organizations")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, "DROP TABLE aggregates_usagelog")],
            state_operations=[
                migrations.CreateModel(
                    name="UsageLog",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("timestamp", models.DateTimeField(help_text="When the call was made.")),
                        (
                            "request_id",
                            models.TextField(
                                help_text="Given by the sender, or made; unique in an organization and month."
                            ),
                        ),
                        ("operation", models.TextField(blank=True, help_text="What the application was doing.")),
                        ("provider", models.TextField(blank=True)),
                        ("model", models.TextField()),
                        ("user_id", models.TextField(blank=True, help_text="Who made the call.")),
                        ("subject_id", models.TextField(blank=True, help_text="Whom or what the call was about.")),
                        ("project", models.TextField(blank=True)),
                        ("status", models.TextField(choices=[("ok", "OK"), ("error", "Error")])),
                        ("input_tokens", models.BigIntegerField(help_text="Cached and cache-write tokens included.")),
                        ("cached_tokens", models.BigIntegerField(help_text="Input tokens read from a cache.")),
                        ("cache_write_tokens", models.BigIntegerField(help_text="Input tokens written to a cache.")),
                        ("output_tokens", models.BigIntegerField(help_text="Reasoning tokens included.")),
                        ("reasoning_tokens", models.BigIntegerField()),
                        ("latency_ms", models.BigIntegerField(blank=True, null=True)),
                        (
                            "cost",
                            models.DecimalField(
                                blank=True, decimal_places=12, max_digits=24, null=True, verbose_name="cost (USD)"
                            ),
                        ),
                        (
                            "cost_source",
                            models.TextField(
                                choices=[
                                    ("reported", "Reported by the sender"),
                                    ("priced", "Computed from prices"),
                                    ("none", "No price known"),
                                ]
                            ),
                        ),
                        (
                            "cache_hit_rate",
                            models.DecimalField(
                                decimal_places=8,
                                help_text="cached / input tokens, 8 decimals, half-even; 0 without input.",
                                max_digits=9,
                            ),
                        ),
                        ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "organization",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="aggregates.organization",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "call",
                    },
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="usagelog",
            index=models.Index(fields=["organization", "timestamp"], name="usage_log_by_time"),
        ),
        migrations.AddIndex(
            model_name="usagelog",
            index=models.Index(fields=["id"], name="usage_log_by_id"),
        ),
        migrations.AddIndex(
            model_name="usagelog",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["timestamp"], name="usage_log_brin"),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(
                            models.F("request_id"), function="octet_length", output_field=models.IntegerField()
                        ),
                        256,
                    ),
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(models.F("operation"), function="octet_length", output_field=models.IntegerField()),
                        256,
                    ),
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(models.F("provider"), function="octet_length", output_field=models.IntegerField()),
                        256,
                    ),
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(models.F("model"), function="octet_length", output_field=models.IntegerField()), 256
                    ),
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(models.F("user_id"), function="octet_length", output_field=models.IntegerField()),
                        256,
                    ),
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(
                            models.F("subject_id"), function="octet_length", output_field=models.IntegerField()
                        ),
                        256,
                    ),
                    django.db.models.lookups.LessThanOrEqual(
                        models.Func(models.F("project"), function="octet_length", output_field=models.IntegerField()),
                        256,
                    ),
                ),
                name="usage_log_texts_short",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("request_id", ""), _negated=True), models.Q(("model", ""), _negated=True)),
                name="usage_log_texts_given",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("input_tokens__range", (0, 1000000000)),
                    ("cached_tokens__range", (0, 1000000000)),
                    ("cache_write_tokens__range", (0, 1000000000)),
                    ("output_tokens__range", (0, 1000000000)),
                    ("reasoning_tokens__range", (0, 1000000000)),
                    ("latency_ms__range", (0, 1000000000)),
                ),
                name="usage_log_counts_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cached_tokens__lte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("input_tokens"), "-", models.F("cache_write_tokens")
                        ),
                    )
                ),
                name="usage_log_cached_within_input",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(("reasoning_tokens__lte", models.F("output_tokens"))),
                name="usage_log_reasoning_within_output",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["ok", "error"])), name="usage_log_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cost", None), ("cost_source", "none")),
                    models.Q(
                        ("cost__gte", 0),
                        ("cost__isnull", False),
                        ("cost__lt", 1000000000),
                        ("cost_source__in", ["reported", "priced"]),
                    ),
                    _connector="OR",
                ),
                name="usage_log_cost_with_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(("cache_hit_rate__range", (0, 1))), name="usage_log_cache_hit_rate_share"
            ),
        ),
    ]
