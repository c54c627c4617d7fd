"""An index on the calls that have units: few among many, and read over long ranges.

It is built on each partition beside those who write to it. What is interrupted can be run again.
"""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from aggregates.db.log_changes import add_index


def add_units_index(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    columns, condition = "organization_id, timestamp", "units IS NOT NULL"
    add_index(schema_editor, "usage_log_by_units", columns, condition, suffix="units")


def drop_units_index(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute("DROP INDEX IF EXISTS usage_log_by_units")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("aggregates", "0026_arrival_counts")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_units_index, drop_units_index)],
            state_operations=[
                migrations.AddIndex(
                    model_name="usagelog",
                    index=models.Index(
                        condition=models.Q(("units__isnull", False)),
                        fields=["organization", "timestamp"],
                        name="usage_log_by_units",
                    ),
                )
            ],
        ),
    ]
