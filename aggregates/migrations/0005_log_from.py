"""Organizations whose older calls are no longer kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0004_sealed_through")]

    operations = [
        migrations.AddField(
            "organization",
            "log_from",
            models.DateField(
                editable=False,
                help_text="The calls of days before this one are no longer in the log; their daily aggregates are.",
                null=True,
            ),
        ),
    ]
