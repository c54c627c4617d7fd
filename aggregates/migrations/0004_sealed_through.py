"""Days are sealed and rolled up through an instant, and know the span that their time zone cut."""

from datetime import timedelta
from typing import Any

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, Q

from aggregates.domain import days

ADDED = ("starts_at", "ends_at", "sealed_through", "rolled_through")


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now a sealed or rolled day was so through its end."""
    table = apps.get_model("aggregates", "UsageDay").objects
    known: list[Any] = list(table.select_related("organization"))
    for day in known:
        span = days.span_of(day.date, day.organization.time_zone)
        # A date that the zone skipped has no calls; its row gets a span all the same.
        day.starts_at, day.ends_at = span.start, max(span.end, span.start + timedelta(microseconds=1))
        day.sealed_through = day.ends_at if day.sealed_at else None
        day.rolled_through = day.ends_at if day.rolled_at else None
    table.bulk_update(known, ADDED, batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0003_daily_aggregates")]

    operations = [
        migrations.RemoveConstraint("usageday", "usage_day_sealed_first"),
        migrations.RemoveIndex("usageday", "usage_day_unrolled"),
        *(migrations.AddField("usageday", name, models.DateTimeField(null=True)) for name in ADDED),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RemoveField("usageday", "sealed_at"),
        migrations.AlterField("usageday", "starts_at", models.DateTimeField()),
        migrations.AlterField("usageday", "ends_at", models.DateTimeField()),
        migrations.AddIndex(
            "usageday",
            models.Index(
                fields=["date", "organization"],
                condition=Q(rolled_through=None) | Q(rolled_through__lt=F("ends_at")),
                name="usage_day_unrolled",
            ),
        ),
        migrations.AddConstraint(
            "usageday", models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="usage_day_has_span")
        ),
        migrations.AddConstraint(
            "usageday",
            models.CheckConstraint(
                condition=Q(sealed_through=None) | Q(sealed_through__range=(F("starts_at"), F("ends_at"))),
                name="usage_day_sealed_within",
            ),
        ),
        migrations.AddConstraint(
            "usageday",
            models.CheckConstraint(
                condition=Q(rolled_through=None, rolled_at=None)
                | Q(
                    rolled_at__isnull=False,
                    sealed_through__isnull=False,
                    rolled_through__gte=F("starts_at"),
                    rolled_through__lte=F("sealed_through"),
                ),
                name="usage_day_sealed_first",
            ),
        ),
    ]
