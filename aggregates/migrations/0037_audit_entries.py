"""The audit log, whose entries nobody changes, and nobody deletes while they are kept."""

from typing import Any

import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

# TRUNCATE sets off none of these. Of an organization that is gone, or is being removed, entries go, too.
GUARDS = """
ALTER TABLE aggregates_auditentry ADD CONSTRAINT audit_entry_organization
    FOREIGN KEY (organization_id) REFERENCES aggregates_organization ON DELETE CASCADE;
CREATE FUNCTION aggregates_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Entries of the audit log are never changed.';
END $$;
CREATE FUNCTION aggregates_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.organization_id IS NULL OR EXISTS (
        SELECT FROM aggregates_organization WHERE id = OLD.organization_id AND removal_asked_at IS NULL
    ) THEN
        RAISE EXCEPTION 'Entries of the audit log are kept: this one until %.', OLD.keep_until;
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER aggregates_audit_stays BEFORE UPDATE ON aggregates_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION aggregates_audit_stays();
CREATE TRIGGER aggregates_audit_is_kept BEFORE DELETE ON aggregates_auditentry FOR EACH ROW
    WHEN (OLD.keep_until > now()) EXECUTE FUNCTION aggregates_audit_is_kept();
"""
NO_GUARDS = """
DROP TRIGGER aggregates_audit_is_kept ON aggregates_auditentry;
DROP TRIGGER aggregates_audit_stays ON aggregates_auditentry;
DROP FUNCTION aggregates_audit_is_kept();
DROP FUNCTION aggregates_audit_stays();
ALTER TABLE aggregates_auditentry DROP CONSTRAINT audit_entry_organization;
"""


def _values(**options: Any) -> Any:
    return models.JSONField(
        db_default=models.Value({}, models.JSONField()),
        default=dict,
        encoder=django.core.serializers.json.DjangoJSONEncoder,
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0036_latency_chunks")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=Now())),
                ("keep_until", models.DateTimeField()),
                ("event", models.CharField(max_length=40)),
                ("via", models.CharField(max_length=16)),
                ("user_id", models.BigIntegerField(null=True)),
                ("address", models.GenericIPAddressField(null=True)),
                ("object_id", models.BigIntegerField(null=True)),
                ("before", _values()),
                ("after", _values()),
                ("effect", _values(verbose_name="effect on cost")),
                ("first", models.DateField(null=True)),
                ("last", models.DateField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [
                    models.Index(fields=["organization", "-at", "-id"], name="audit_entry_of_organization"),
                    models.Index(
                        condition=models.Q(("first__isnull", False)),
                        fields=["organization", "first"],
                        name="audit_entry_of_days",
                    ),
                    models.Index(fields=["keep_until"], name="audit_entry_until"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("event", ""), _negated=True), name="audit_entry_of_an_event"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("via", ""), _negated=True), name="audit_entry_done_some_way"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("keep_until__gt", models.F("at"))), name="audit_entry_is_kept"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("first", None), ("last", None)), ("last__gte", models.F("first")), _connector="OR"
                        ),
                        name="audit_entry_ends_after_start",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
