"""Which price a call was given, and how many of its cache writes are kept for an hour.

Calls are recorded meanwhile: constraints hold for what is new at once, and are validated beside those who write. What is
interrupted can be run again.
"""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

SOURCES = [
    ("reported", "Reported by the sender"),
    ("table", "Price table"),
    ("override", "Own price of the organization"),
    ("priced", "Given by a correction"),
    ("none", "No price known"),
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0010_saved_presets")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS usage_log_cost_with_source",
            migrations.RunSQL.noop,
            state_operations=[migrations.RemoveConstraint("usagelog", "usage_log_cost_with_source")],
        ),
        AddConstraintNotValid(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cost", None), ("cost_source", "none")),
                    models.Q(
                        ("cost__gte", 0),
                        ("cost__isnull", False),
                        ("cost__lt", 1000000000),
                        ("cost_source__in", ["reported", "table", "override", "priced"]),
                    ),
                    _connector="OR",
                ),
                name="usage_log_cost_with_source",
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog ADD COLUMN IF NOT EXISTS cache_write_1h_tokens bigint DEFAULT 0 NOT NULL",
            "ALTER TABLE aggregates_usagelog DROP COLUMN cache_write_1h_tokens",
            state_operations=[
                migrations.AddField(
                    model_name="usagelog",
                    name="cache_write_1h_tokens",
                    field=models.BigIntegerField(
                        db_default=0,
                        help_text="Those of the cache-write tokens that are kept for an hour, which cost more.",
                    ),
                )
            ],
        ),
        migrations.AlterField(model_name="usagelog", name="cost_source", field=models.TextField(choices=SOURCES)),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS usage_log_1h_within_cache_write",
            migrations.RunSQL.noop,
        ),
        AddConstraintNotValid(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cache_write_1h_tokens__gte", 0), ("cache_write_1h_tokens__lte", models.F("cache_write_tokens"))
                ),
                name="usage_log_1h_within_cache_write",
            ),
        ),
        ValidateConstraint(model_name="usagelog", name="usage_log_cost_with_source"),
        ValidateConstraint(model_name="usagelog", name="usage_log_1h_within_cache_write"),
    ]
