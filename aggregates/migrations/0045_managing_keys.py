"""Keys that manage the organization."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0044_zone_asked_by")]

    operations = [
        migrations.RemoveConstraint("apikey", "api_key_kind_known"),
        migrations.AlterField(
            "apikey",
            "kind",
            models.CharField(
                choices=[("record", "Record calls"), ("read", "Read usage"), ("manage", "Manage the organization")],
                default="record",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            "apikey",
            models.CheckConstraint(
                condition=models.Q(("kind__in", ["record", "read", "manage"])), name="api_key_kind_known"
            ),
        ),
    ]
