"""Removing the demo: its organizations with all they have, and its user; nothing else."""

from dataclasses import dataclass

from django.db.models import Q

from aggregates.models import Organization, User
from aggregates.ops.demo import login
from aggregates.ops.demo.cast import STORIES
from aggregates.rollup import removal


class CannotRemove(Exception):
    """Something that is not the demo's would go with it; the message says what."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What is there of the demo."""

    organizations: tuple[Organization, ...]
    user: User | None


def find() -> Demo:
    """Find the demo's organizations, by slug and name, and its user, if that one belongs to them.

    Raises CannotRemove if the user belongs to another organization, too, which might be left without an admin.
    """
    known = Q()
    for story in STORIES:
        known |= Q(slug=story.slug, name=story.name)
    organizations = tuple(Organization.objects.filter(known))
    user = User.objects.filter(email=login.EMAIL, organizations__in=organizations).distinct().first()
    others = user.organizations.exclude(pk__in=[each.pk for each in organizations]) if user else []
    if names := ", ".join(each.slug for each in others):
        raise CannotRemove(
            f"{login.EMAIL} belongs to {names}, too: make somebody else its admin, and take that user out."
        )
    return Demo(organizations, user)


def remove(demo: Demo) -> int:
    """Remove it, and the file with its login; return how many calls and charges went. Run again, it goes on where it
    was interrupted.

    Raises Busy where somebody is recording for long.
    """
    if demo.user:
        demo.user.delete()  # first: it is found by its organizations
    rows = sum(map(removal.remove, demo.organizations))
    login.file().unlink(missing_ok=True)
    return rows
