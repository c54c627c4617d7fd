"""Who asked for the time zone that an organization waits for."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0043_discounted_costs")]

    operations = [
        migrations.AddField(
            "organization",
            "wanted_time_zone_by",
            models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        )
    ]
