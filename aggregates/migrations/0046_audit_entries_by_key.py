"""With which API key something was done."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0045_managing_keys")]

    operations = [
        migrations.AddField("auditentry", "key_id", models.BigIntegerField(null=True)),
    ]
