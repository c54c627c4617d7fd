"""At which rate a call was billed, where that is not the plain one.

Calls are recorded meanwhile: the constraint holds for what is new at once, and is validated beside those who write. What
is interrupted can be run again.
"""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models.lookups import LessThanOrEqual

HELP = "The rate, where it is not the plain one: a service tier, a speed, or what was billed besides tokens."
OCTETS = models.Func(models.F("billed_as"), function="octet_length", output_field=models.IntegerField())


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0019_call_reports")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog ADD COLUMN IF NOT EXISTS billed_as text DEFAULT '' NOT NULL",
            "ALTER TABLE aggregates_usagelog DROP COLUMN billed_as",
            state_operations=[
                migrations.AddField(
                    model_name="usagelog",
                    name="billed_as",
                    field=models.TextField(blank=True, db_default="", help_text=HELP),
                )
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS usage_log_rate_short", migrations.RunSQL.noop
        ),
        AddConstraintNotValid(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(LessThanOrEqual(OCTETS, 256)), name="usage_log_rate_short"
            ),
        ),
        ValidateConstraint(model_name="usagelog", name="usage_log_rate_short"),
    ]
