"""Counts of attempts to log in, which limit how fast passwords can be guessed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0027_units_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttemptCount",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("until", models.DateTimeField(db_index=True)),
                ("number", models.IntegerField()),
            ],
        ),
        migrations.RunSQL("ALTER TABLE aggregates_attemptcount SET UNLOGGED", migrations.RunSQL.noop),
    ]
