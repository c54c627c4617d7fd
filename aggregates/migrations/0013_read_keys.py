"""Keys with which one may read, and not record."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0012_price_overrides"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="apikey",
            name="api_key_kind_known",
        ),
        migrations.AlterField(
            model_name="apikey",
            name="kind",
            field=models.CharField(
                choices=[("record", "Record calls"), ("read", "Read usage")], default="record", max_length=16
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["record", "read"])), name="api_key_kind_known"
            ),
        ),
    ]
