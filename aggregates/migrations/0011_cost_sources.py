"""Which price a call was given, and how many of its cache writes are kept for an hour."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0010_saved_presets")]

    operations = [
        migrations.RemoveConstraint(
            model_name="usagelog",
            name="usage_log_cost_with_source",
        ),
        migrations.AddField(
            model_name="usagelog",
            name="cache_write_1h_tokens",
            field=models.BigIntegerField(
                db_default=0, help_text="Those of the cache-write tokens that are kept for an hour, which cost more."
            ),
        ),
        migrations.AlterField(
            model_name="usagelog",
            name="cost_source",
            field=models.TextField(
                choices=[
                    ("reported", "Reported by the sender"),
                    ("table", "Price table"),
                    ("override", "Own price of the organization"),
                    ("priced", "Given by a correction"),
                    ("none", "No price known"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cache_write_1h_tokens__gte", 0), ("cache_write_1h_tokens__lte", models.F("cache_write_tokens"))
                ),
                name="usage_log_1h_within_cache_write",
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
                        ("cost_source__in", ["reported", "table", "override", "priced"]),
                    ),
                    _connector="OR",
                ),
                name="usage_log_cost_with_source",
            ),
        ),
    ]
