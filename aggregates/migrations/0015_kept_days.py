"""Days whose calls are no longer all in the log become a state of their own, and partitions of the log have a birth."""

from django.db import migrations, models
from django.db.models import Q

# A time of which the log does not hold the calls of before `born_at`. A partition that was there before its month began
# is no hole, as nothing of the month can have been rolled up before. One whose birth is not told was there always, and
# so was a DEFAULT one.
HOLES = r"""
CREATE VIEW aggregates_loghole AS
WITH part AS (
    SELECT oid, relname::text AS name, relpartbound, obj_description(oid, 'pg_class') AS comment FROM pg_class
    WHERE oid IN (
        SELECT inhrelid FROM pg_inherits WHERE inhparent = 'aggregates_usagelog'::regclass AND NOT inhdetachpending
    )
), partition AS (
    SELECT COALESCE(named, bounds[1]::timestamptz) AS since,
           COALESCE((named AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC', bounds[2]::timestamptz) AS until,
           COALESCE(named, bounds[1]::timestamptz) IS NULL AS is_default,
           COALESCE(substring(comment FROM
                    '^born (-infinity|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00(?::00)?)$')::timestamptz, '-infinity') AS born_at
    FROM part
    CROSS JOIN LATERAL (
        SELECT CASE WHEN name ~ '^aggregates_usagelog_\d{4}_\d\d$'
                    THEN make_timestamptz(left(right(name, 7), 4)::int, right(name, 2)::int, 1, 0, 0, 0, 'UTC') END AS named
    ) AS by_name
    CROSS JOIN LATERAL (  -- which takes longer, so only where others gave the name
        SELECT CASE WHEN named IS NULL THEN regexp_match(
            pg_get_expr(relpartbound, oid), '^FOR VALUES FROM \(''(.+)''\) TO \(''(.+)''\)$'
        ) END AS bounds
    ) AS by_bound
), gap AS (
    SELECT lag(until, 1, '-infinity') OVER (ORDER BY since) AS since, since AS until FROM partition WHERE NOT is_default
    UNION ALL
    SELECT COALESCE(max(until), '-infinity'), 'infinity' FROM partition WHERE NOT is_default
)
SELECT since, until, born_at FROM partition WHERE NOT is_default AND born_at > since
UNION ALL
SELECT since, until, 'infinity' FROM gap WHERE since < until AND NOT EXISTS (SELECT FROM partition WHERE is_default)
"""

# Partitions that are there were there when their days were rolled up, as far as anybody can tell.
BIRTHS = """
DO $$
DECLARE name regclass;
BEGIN
    FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'aggregates_usagelog'::regclass LOOP
        EXECUTE format('COMMENT ON TABLE %s IS %L', name, 'born -infinity');
    END LOOP;
END $$
"""

# `log_from` only ever grows, whoever saves an organization with what it was; and the days before it are kept.
GROWTH = """
CREATE FUNCTION aggregates_log_from_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.log_from := greatest(OLD.log_from, NEW.log_from);
    RETURN NEW;
END $$;
CREATE TRIGGER aggregates_log_from_grows BEFORE UPDATE ON aggregates_organization
    FOR EACH ROW WHEN (OLD.log_from IS DISTINCT FROM NEW.log_from) EXECUTE FUNCTION aggregates_log_from_grows();
CREATE FUNCTION aggregates_log_from_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE aggregates_usageday
    SET kept_at = clock_timestamp(), kept_reason = 'retention', accepted_at = clock_timestamp()
    WHERE organization_id = NEW.id AND date < NEW.log_from AND kept_at IS NULL AND rolled_through IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER aggregates_log_from_keeps AFTER UPDATE ON aggregates_organization
    FOR EACH ROW WHEN (OLD.log_from IS DISTINCT FROM NEW.log_from) EXECUTE FUNCTION aggregates_log_from_keeps();
"""
NO_GROWTH = """
DROP TRIGGER aggregates_log_from_keeps ON aggregates_organization;
DROP TRIGGER aggregates_log_from_grows ON aggregates_organization;
DROP FUNCTION aggregates_log_from_keeps();
DROP FUNCTION aggregates_log_from_grows();
"""

KEEP = """
UPDATE aggregates_usageday AS day
SET kept_at = clock_timestamp(), kept_reason = 'retention', accepted_at = clock_timestamp()
FROM aggregates_organization AS organization
WHERE organization.id = organization_id AND date < log_from AND rolled_through IS NOT NULL
"""

# Days of which a part has no partition: where calls are missing, somebody dropped it, and their sums are all there is.
# Elsewhere nothing was ever recorded there, and the partition is made.
KEEP_LOST = """
UPDATE aggregates_usageday AS day SET kept_at = clock_timestamp(), kept_reason = 'partition'
FROM aggregates_dailyaggregate AS sums
WHERE sums.organization_id = day.organization_id AND sums.date = day.date AND kept_at IS NULL
  AND EXISTS (SELECT FROM aggregates_loghole AS hole
              WHERE since < rolled_through AND until > starts_at AND born_at > rolled_at)
  AND total_calls > (SELECT count(*) FROM aggregates_usagelog AS call
                     WHERE call.organization_id = day.organization_id
                       AND timestamp >= starts_at AND timestamp < rolled_through)
"""
MISSING = """
DO $$
DECLARE month timestamptz; name text;
BEGIN
    FOR month IN
        SELECT DISTINCT generate_series(date_trunc('month', starts_at, 'UTC'), ends_at - interval '1 microsecond', '1 month', 'UTC')
        FROM aggregates_usageday
        WHERE kept_at IS NULL AND EXISTS (SELECT FROM aggregates_loghole WHERE since < ends_at AND until > starts_at)
    LOOP
        name := 'aggregates_usagelog_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE aggregates_usagelog INCLUDING ALL)', name);
        EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'born -infinity');
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (organization_id, request_id)', name || '_once', name);
        EXECUTE format('ALTER TABLE aggregates_usagelog ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       name, month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0014_period_breakdowns")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(HOLES, "DROP VIEW aggregates_loghole")],
            state_operations=[
                migrations.CreateModel(
                    name="LogHole",
                    fields=[
                        ("since", models.DateTimeField(primary_key=True, serialize=False)),
                        ("until", models.DateTimeField()),
                        ("born_at", models.DateTimeField()),
                    ],
                    options={"db_table": "aggregates_loghole", "managed": False},
                )
            ],
        ),
        migrations.AddField(
            "usageday",
            "contents",
            models.SmallIntegerField(
                db_default=1, help_text="What its aggregates hold: an entry of domain.contents.VERSIONS."
            ),
        ),
        migrations.AddField(
            "usageperiod",
            "contents",
            models.SmallIntegerField(db_default=1, help_text="What it holds: an entry of domain.contents.VERSIONS."),
        ),
        migrations.AddField(
            "usageday",
            "kept_at",
            models.DateTimeField(help_text="Since when its aggregates are all there is.", null=True),
        ),
        migrations.AddField(
            "usageday",
            "kept_reason",
            models.TextField(
                blank=True,
                choices=[
                    ("retention", "its month was dropped, as too old"),
                    ("partition", "a month of the log that held its calls is missing, or was made anew"),
                    ("calls", "the log holds fewer calls than were rolled up, and no correction says why"),
                ],
                db_default="",
            ),
        ),
        migrations.AddField(
            "usageday",
            "accepted_at",
            models.DateTimeField(help_text="When somebody accepted that it is kept.", null=True),
        ),
        migrations.AddField("staleday", "removed", models.BigIntegerField(db_default=0)),
        migrations.RunSQL(BIRTHS, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP_LOST, migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED", migrations.RunSQL.noop),
        migrations.RunSQL(MISSING, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "staleday",
            models.CheckConstraint(condition=Q(removed__gte=0), name="stale_day_removed_counted"),
        ),
        migrations.AddConstraint(
            "usageday",
            models.CheckConstraint(
                condition=Q(kept_at=None, kept_reason="", accepted_at=None)
                | Q(
                    kept_at__isnull=False,
                    kept_reason__in=["retention", "partition", "calls"],
                    rolled_through__isnull=False,
                ),
                name="usage_day_kept_rolled",
            ),
        ),
        migrations.AddIndex(
            "usageday",
            models.Index(fields=["organization", "date"], condition=Q(kept_at__isnull=False), name="usage_day_kept"),
        ),
        migrations.AddIndex(
            "usageday",
            models.Index(
                fields=["contents", "-date"],
                condition=Q(kept_at=None, rolled_through__isnull=False),
                name="usage_day_contents",
            ),
        ),
        migrations.RunSQL(GROWTH, NO_GROWTH),
    ]
