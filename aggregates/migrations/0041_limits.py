"""Members, invitations and read keys may be limited to a part of the usage."""

from django.db import migrations, models
from django.db.models import Q, Value

NOTHING = Q(limited_to={})
HELP = "The values that may be seen, by dimension: {“project”: [“alpha”]}. Empty: everything."
LIMITED = {
    "membership": ("membership_limited_to_see", Q(role__in=("analyst", "viewer"))),
    "invitation": ("invitation_limited_to_see", Q(role__in=("analyst", "viewer"))),
    "apikey": ("api_key_limited_to_read", Q(kind="read")),
}


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0040_room_in_call_reports")]

    operations = [
        operation
        for model, (name, is_possible) in LIMITED.items()
        for operation in (
            migrations.AddField(
                model,
                "limited_to",
                models.JSONField(default=dict, db_default=Value({}, models.JSONField()), blank=True, help_text=HELP),
            ),
            migrations.AddConstraint(model, models.CheckConstraint(condition=NOTHING | is_possible, name=name)),
        )
    ]
