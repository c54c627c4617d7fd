"""What several commands take as arguments."""

import re
from argparse import ArgumentTypeError
from collections.abc import Collection
from datetime import date

from django.core.management.base import CommandError

from aggregates.models import Organization

YEARS = range(1970, 3000)  # far from where dates end, so that no time zone leads beyond


def iso_date(text: str) -> date:
    """Parse a date written as 2025-03-09, for argparse."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError
        day = date.fromisoformat(text)
        if day.year not in YEARS:
            raise ValueError
    except ValueError:
        raise ArgumentTypeError(f"expected a date such as 2025-03-09, got “{text}”") from None
    return day


def condition(text: str) -> tuple[str, str]:
    """Parse DIMENSION=VALUE, for argparse; an empty value stands for unknown."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"expected DIMENSION=VALUE, got “{text}”")
    return name, value


def find_organization(slug: str) -> Organization:
    """Find the organization; raises CommandError, also where it is being removed."""
    try:
        organization = Organization.objects.get(slug=slug)
    except Organization.DoesNotExist:
        known = ", ".join(Organization.objects.order_by("slug").values_list("slug", flat=True)[:10])
        raise CommandError(f"There is no organization “{slug}”. There is: {known or 'none yet'}.") from None
    if organization.removal_asked_at:
        raise CommandError(f"{slug} is being removed: manage.py remove_organization {slug} goes on with it.")
    return organization


def left_alone(kept: Collection[date]) -> str:
    """The line that says of which days no call was changed, because their sums are kept."""
    listed = ", ".join(map(str, sorted(kept)[:5])) + (f" and {len(kept) - 5} more days" if len(kept) > 5 else "")
    return f"Left alone: the calls of {listed}. Some are missing from the log, so the sums are kept as they are."
