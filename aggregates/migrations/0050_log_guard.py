"""A view that is locked in place of the log."""

from django.db import migrations, models

# It has no rows, as the first table has none; and as that stays on the coordinator of a cluster, so does the view.
GUARD = """
CREATE TABLE aggregates_coordinator (id bigint NOT NULL);
CREATE VIEW aggregates_logguard AS SELECT aggregates_coordinator.id FROM aggregates_coordinator, ONLY aggregates_usagelog;
"""
NO_GUARD = """
DROP VIEW aggregates_logguard;
DROP TABLE aggregates_coordinator;
"""
# As 0015 made it, but with a time that is the same for all rows, or a cluster would not take it.
KEEPS = """
CREATE OR REPLACE FUNCTION aggregates_log_from_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE aggregates_usageday
    SET kept_at = statement_timestamp(), kept_reason = 'retention', accepted_at = statement_timestamp()
    WHERE organization_id = NEW.id AND date < NEW.log_from AND kept_at IS NULL AND rolled_through IS NOT NULL;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0049_hours")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(GUARD, NO_GUARD)],
            state_operations=[
                migrations.CreateModel(
                    name="LogGuard",
                    fields=[("id", models.BigIntegerField(primary_key=True, serialize=False))],
                    options={"db_table": "aggregates_logguard", "managed": False},
                )
            ],
        ),
        migrations.RunSQL(KEEPS, migrations.RunSQL.noop),
    ]
