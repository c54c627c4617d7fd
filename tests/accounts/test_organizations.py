"""The settings of organizations: of what others have changed meanwhile nothing is written, nor written down."""

from aggregates.accounts import organizations
from aggregates.models import AuditEntry, Organization


def test_the_audit_log_says_only_what_was_saved(acme: Organization) -> None:
    mine = Organization.objects.get(pk=acme.pk)
    organizations.change_slug(acme, "acme-2")
    mine.name = "Acme Ltd."

    organizations.change_settings(mine, ["name"])

    entries = AuditEntry.objects.filter(event="organization.changed").order_by("pk")
    assert [(entry.before, entry.after) for entry in entries] == [
        ({"slug": "acme"}, {"slug": "acme-2"}),
        ({"name": "Acme"}, {"name": "Acme Ltd."}),
    ]
    assert Organization.objects.get(pk=acme.pk).slug == "acme-2"
