"""Organizations that are being removed, and pseudonyms of users."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

# Whoever saves an organization with what it once was does not take its removal back. And days whose sums are all there
# is are deleted with an organization whose removal was asked for, and in no other way.
GUARDS = """
CREATE FUNCTION aggregates_removal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.removal_asked_at := OLD.removal_asked_at;
    RETURN NEW;
END $$;
CREATE TRIGGER aggregates_removal_stays BEFORE UPDATE ON aggregates_organization FOR EACH ROW
    WHEN (OLD.removal_asked_at IS NOT NULL AND NEW.removal_asked_at IS DISTINCT FROM OLD.removal_asked_at)
    EXECUTE FUNCTION aggregates_removal_stays();
CREATE FUNCTION aggregates_kept_days_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM aggregates_organization WHERE id = OLD.organization_id AND removal_asked_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'The sums of % are all there is of it: they are deleted with their organization alone.', OLD.date
            USING HINT = 'manage.py remove_organization';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER aggregates_kept_days_stay BEFORE DELETE ON aggregates_usageday FOR EACH ROW
    WHEN (OLD.kept_at IS NOT NULL) EXECUTE FUNCTION aggregates_kept_days_stay();
"""
NO_GUARDS = """
DROP TRIGGER aggregates_kept_days_stay ON aggregates_usageday;
DROP TRIGGER aggregates_removal_stays ON aggregates_organization;
DROP FUNCTION aggregates_kept_days_stay();
DROP FUNCTION aggregates_removal_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0030_reports_by_end")]

    operations = [
        migrations.AddField("organization", "removal_asked_at", models.DateTimeField(editable=False, null=True)),
        migrations.CreateModel(
            name="Pseudonym",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name_hash", models.CharField(max_length=64)),
                ("pseudonym", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="aggregates.organization",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organization", "name_hash"), name="pseudonym_once")],
            },
        ),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
