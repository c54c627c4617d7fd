"""What pages call the groups of a breakdown: API keys by the names that people gave them, all else as it is."""

from aggregates.domain import formats
from aggregates.domain.calls import KEY
from aggregates.models import Organization


def name_of(organization: Organization, dimension: str, value: str | None) -> str:
    """Name a group of a dimension; a key that is not the organization's by its prefix."""
    words = formats.named(value)
    return organization.key_names.get(words, words) if dimension == KEY and value else words
