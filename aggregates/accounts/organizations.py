"""Organizations are made with an owner, and get other slugs; links with the former ones lead on."""

from collections.abc import Collection

from django.db import transaction

from aggregates.accounts import audit_events
from aggregates.accounts.members import add
from aggregates.db.locks import Lock, take
from aggregates.models import FormerSlug, Organization, Role, User


class SlugTaken(ValueError):
    """Another organization has the slug, or had it; the message says so to people."""


def create(organization: Organization, owner: User | None) -> None:
    """Save a new organization, with its owner where there is one already; raises SlugTaken."""
    with transaction.atomic():
        _take_slug(organization, organization.slug)
        organization.save()
        audit_events.write_organization_added(organization)
        if owner:
            add(organization, owner, Role.OWNER)


def change_settings(organization: Organization, fields: Collection[str]) -> None:
    """Save these fields of an organization as they are in it now, and write down what of its settings that changes."""
    with transaction.atomic():
        now = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        before = audit_events.settings_of(now, fields)
        organization.save(update_fields=fields)
        audit_events.write_settings(organization, before)


def change_slug(organization: Organization, slug: str) -> None:
    """Give the organization another slug, and keep the one of before for it; raises SlugTaken."""
    with transaction.atomic():
        _take_slug(organization, slug)
        organization.refresh_from_db(fields=["slug"])
        if slug == organization.slug:
            return
        before = audit_events.settings_of(organization, ["slug"])
        FormerSlug.objects.filter(slug=slug).delete()  # its own
        FormerSlug.objects.create(slug=organization.slug, organization=organization)
        organization.slug = slug
        organization.save(update_fields=["slug"])
        audit_events.write_settings(organization, before)


def _take_slug(organization: Organization, slug: str) -> None:
    take(Lock.SLUGS)
    others = Organization.objects.exclude(pk=organization.pk).filter(slug=slug)
    if others.exists() or FormerSlug.objects.filter(slug=slug).exclude(organization=organization.pk).exists():
        raise SlugTaken(f"Another organization has, or had, the slug {slug}.")
