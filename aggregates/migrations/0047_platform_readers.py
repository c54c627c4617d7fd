"""Accounts that read every organization."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0046_audit_entries_by_key")]

    operations = [
        migrations.AddField(
            "user",
            "reads_all",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="Sees pages and files of every organization, and changes nothing; each visit is in its audit log.",
                verbose_name="reads every organization",
            ),
        )
    ]
