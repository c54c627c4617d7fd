"""Reports of calls by when they ended: of an hour's, those near in time are found without looking at the others."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("aggregates", "0029_attempt_counts"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="callreport", name="call_report_by_project"),
        migrations.AddIndex(
            model_name="callreport",
            index=models.Index(
                fields=["organization", "project", "ends_at"],
                condition=Q(call__isnull=False) & ~Q(project=""),
                name="call_report_by_project_end",
            ),
        ),
    ]
