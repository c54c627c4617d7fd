"""Which calls an instrumentation reported, within which span, and whether a better report may follow.

Calls are recorded meanwhile: the columns have constant defaults, the index is built on each partition beside those who
write, and the constraint is validated after it holds for what is new. What is interrupted can be run again.
"""

from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from aggregates.db.log_changes import add_index


def add_parent_span_index(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    add_index(schema_editor, "usage_log_by_parent_span", "organization_id, parent_span", "NOT parent_span = ''")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("aggregates", "0008_monthly_breakdowns"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog ADD COLUMN IF NOT EXISTS parent_span text DEFAULT '' NOT NULL",
            "ALTER TABLE aggregates_usagelog DROP COLUMN parent_span",
            state_operations=[
                migrations.AddField(
                    model_name="usagelog",
                    name="parent_span",
                    field=models.TextField(
                        blank=True, db_default="", help_text="The span around the one that reported it."
                    ),
                )
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog ADD COLUMN IF NOT EXISTS provisional boolean DEFAULT false NOT NULL",
            "ALTER TABLE aggregates_usagelog DROP COLUMN provisional",
            state_operations=[
                migrations.AddField(
                    model_name="usagelog",
                    name="provisional",
                    field=models.BooleanField(
                        db_default=False,
                        help_text="Reported by an instrumentation around the vendor's own: that one's report replaces it.",
                    ),
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_parent_span_index, migrations.RunPython.noop)],
            state_operations=[
                migrations.AddIndex(
                    model_name="usagelog",
                    index=models.Index(
                        condition=models.Q(("parent_span", ""), _negated=True),
                        fields=["organization", "parent_span"],
                        name="usage_log_by_parent_span",
                    ),
                )
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE aggregates_usagelog DROP CONSTRAINT IF EXISTS usage_log_span_named", migrations.RunSQL.noop
        ),
        AddConstraintNotValid(
            model_name="usagelog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("parent_span", ""), ("parent_span__regex", "^[0-9a-f]{32}-[0-9a-f]{16}$"), _connector="OR"
                ),
                name="usage_log_span_named",
            ),
        ),
        ValidateConstraint(model_name="usagelog", name="usage_log_span_named"),
    ]
