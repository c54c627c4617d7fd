"""Of each call its service tier, the units that have a price of their own, its labels, and the key that it came with.

What was `billed_as` becomes the tier; where it told of searches or sound instead, whose quantity nobody kept, the call
has “other” among its units, and still no price. Calls are recorded meanwhile, as in 0020: constraints hold for what is
new at once, and are validated beside those who write. What is interrupted can be run again.
"""

from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import Cast
from django.db.models.lookups import Exact, LessThanOrEqual

TIER = "Where it is not the plain one: a service tier, a speed, a region of inference."
UNITS = "What has a price of its own: quantities by unit."
LABELS = "Texts by name, as the sender chose them."
KEY = "The prefix of the API key that it came with."
ALIAS = "Whose price it has, where the model is an alias or a deployment."

COLUMNS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = current_schema()
               AND table_name = 'aggregates_usagelog' AND column_name = 'billed_as') THEN
        ALTER TABLE aggregates_usagelog RENAME COLUMN billed_as TO service_tier;
    END IF;
END $$;
ALTER TABLE aggregates_usagelog
    ADD COLUMN IF NOT EXISTS units jsonb,
    ADD COLUMN IF NOT EXISTS labels jsonb,
    ADD COLUMN IF NOT EXISTS price_model text DEFAULT '' NOT NULL,
    ADD COLUMN IF NOT EXISTS key text DEFAULT '' NOT NULL;
"""
BACK = """
ALTER TABLE aggregates_usagelog RENAME COLUMN service_tier TO billed_as;
ALTER TABLE aggregates_usagelog DROP COLUMN units, DROP COLUMN labels, DROP COLUMN price_model, DROP COLUMN key;
"""
BESIDES_TOKENS = """
UPDATE aggregates_usagelog SET units = '{"other": 1}', service_tier = ''
WHERE service_tier IN ('audio', 'web_search', 'web_searches', 'images', 'code_execution')
"""


def _octets(column: Any) -> models.Func:
    return models.Func(column, function="octet_length", output_field=models.IntegerField())


def _json_octets(column: str) -> models.Func:
    return _octets(Cast(models.F(column), models.TextField()))


def _json_type(column: str) -> models.Func:
    return models.Func(models.F(column), function="jsonb_typeof", output_field=models.TextField())


def _short(column: str) -> models.CheckConstraint:
    condition = models.Q(LessThanOrEqual(_octets(models.F(column)), 256))
    return models.CheckConstraint(condition=condition, name="usage_log_rate_short")


FIT = models.CheckConstraint(
    condition=models.Q(
        LessThanOrEqual(_octets(models.F("key")), 256),
        LessThanOrEqual(_octets(models.F("price_model")), 256),
        LessThanOrEqual(_json_octets("units"), 2_000),
        LessThanOrEqual(_json_octets("labels"), 40_000),
        Exact(_json_type("units"), models.Value("object")),
        Exact(_json_type("labels"), models.Value("object")),
    ),
    name="usage_log_details_fit",
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0021_charges")]

    operations = [
        migrations.RunSQL(
            COLUMNS,
            BACK,
            state_operations=[
                migrations.RemoveConstraint("usagelog", "usage_log_rate_short"),
                migrations.RenameField("usagelog", "billed_as", "service_tier"),
                migrations.AlterField(
                    "usagelog", "service_tier", models.TextField(blank=True, db_default="", help_text=TIER)
                ),
                # The database's own went along with the column.
                migrations.AddConstraint("usagelog", _short("service_tier")),
                migrations.AddField("usagelog", "units", models.JSONField(null=True, blank=True, help_text=UNITS)),
                migrations.AddField("usagelog", "labels", models.JSONField(null=True, blank=True, help_text=LABELS)),
                migrations.AddField(
                    "usagelog", "price_model", models.TextField(blank=True, db_default="", help_text=ALIAS)
                ),
                migrations.AddField("usagelog", "key", models.TextField(blank=True, db_default="", help_text=KEY)),
            ],
        ),
        migrations.RunSQL(BESIDES_TOKENS, migrations.RunSQL.noop),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS usage_log_details_fit", migrations.RunSQL.noop
        ),
        AddConstraintNotValid(model_name="usagelog", constraint=FIT),
        ValidateConstraint(model_name="usagelog", name="usage_log_details_fit"),
    ]
