"""What the first groups of a long tail are found by: columns of chunks, without a value until days are renewed.

Nothing that is there changes, so calls are recorded, rolled up and read meanwhile.
"""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0047_platform_readers")]

    operations = [
        migrations.AddField(
            "breakdownchunk",
            "later",
            django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
        ),
        migrations.AddField(
            "breakdownchunk", "most_cost", models.DecimalField(decimal_places=12, max_digits=36, null=True)
        ),
        migrations.AddField("breakdownchunk", "most_calls", models.BigIntegerField(null=True)),
        migrations.AddField("breakdownchunk", "most_tokens", models.BigIntegerField(null=True)),
        migrations.AddField("breakdownchunk", "most_errors", models.BigIntegerField(null=True)),
        migrations.AddField("breakdownchunk", "most_input_tokens", models.BigIntegerField(null=True)),
        # Beside the arrays in the row: to look elsewhere would take longer.
        migrations.RunSQL(
            "ALTER TABLE aggregates_breakdownchunk ALTER later SET STORAGE MAIN;", reverse_sql=migrations.RunSQL.noop
        ),
    ]
