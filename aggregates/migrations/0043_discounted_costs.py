"""A cost may be a published price less a discount.

Calls are recorded meanwhile: the constraint holds for what is new at once, and is validated beside those who write. What
is interrupted can be run again.
"""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

MAX_COST = 1_000_000_000
NAME = "usage_log_cost_with_source"
SOURCES = [
    ("reported", "Reported by the sender"),
    ("table", "Price table"),
    ("override", "Own price of the organization"),
    ("discount", "Price table, less the organization’s discount"),
    ("priced", "Given by a correction"),
    ("none", "No price known"),
]
COST_WITH_SOURCE = models.Q(cost=None, cost_source="none") | models.Q(
    cost__isnull=False,
    cost__gt=-MAX_COST,
    cost__lt=MAX_COST,
    cost_source__in=[source for source, _ in SOURCES if source != "none"],
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0042_repricings_and_discounts")]

    operations = [
        migrations.AlterField("usagelog", "cost_source", models.TextField(choices=SOURCES)),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS usage_log_cost_with_source",
            migrations.RunSQL.noop,
            state_operations=[migrations.RemoveConstraint("usagelog", NAME)],
        ),
        AddConstraintNotValid(
            model_name="usagelog", constraint=models.CheckConstraint(condition=COST_WITH_SOURCE, name=NAME)
        ),
        ValidateConstraint(model_name="usagelog", name=NAME),
    ]
