"""Which calls an instrumentation reported, within which span, and whether a better report may follow."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0008_monthly_breakdowns"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagelog",
            name="parent_span",
            field=models.TextField(blank=True, db_default="", help_text="The span around the one that reported it."),
        ),
        migrations.AddField(
            model_name="usagelog",
            name="provisional",
            field=models.BooleanField(
                db_default=False,
                help_text="Reported by an instrumentation around the vendor's own: that one's report replaces it.",
            ),
        ),
        migrations.AddIndex(
            model_name="usagelog",
            index=models.Index(
                condition=models.Q(("parent_span", ""), _negated=True),
                fields=["organization", "parent_span"],
                name="usage_log_by_parent_span",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("parent_span", ""), ("parent_span__regex", "^[0-9a-f]{32}-[0-9a-f]{16}$"), _connector="OR"
                ),
                name="usage_log_span_named",
            ),
        ),
    ]
