"""Nobody loses what they may do: admins become owners, and viewers, who could save views and export, analysts."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Case, F, Value, When


def raise_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _change(apps, {"admin": "owner", "viewer": "analyst"})


def lower_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _change(apps, {"owner": "admin", "analyst": "viewer"})


def _change(apps: Apps, roles: dict[str, str]) -> None:
    cases = [When(role=old, then=Value(new)) for old, new in roles.items()]
    apps.get_model("aggregates", "Membership").objects.update(role=Case(*cases, default=F("role")))


class Migration(migrations.Migration):
    dependencies = [("aggregates", "0038_roles_and_invitations")]

    operations = [migrations.RunPython(raise_roles, lower_roles)]
