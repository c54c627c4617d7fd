"""What pages call the groups of a breakdown: API keys by the names that people gave them, all else as it is."""

from aggregates.domain import texts
from aggregates.domain.calls import KEY
from aggregates.models import Organization


def name_of(organization: Organization, dimension: str, value: str | None) -> str:
    """Name a group of a dimension in plain text; a key that is not the organization's by its prefix."""
    return texts.named(text_of_group(organization, dimension, value))


def text_of_group(organization: Organization, dimension: str, value: str | None) -> str | None:
    """Give the text that somebody wrote for a group, as it is; "" and None as they are, too."""
    return organization.key_names.get(value, value) if dimension == KEY and value else value
