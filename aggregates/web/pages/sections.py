"""The pages of an organization beside its numbers: its settings, each for those who may do what is done there."""

from dataclasses import dataclass

from aggregates.accounts.access import Permission, may
from aggregates.models import Membership


@dataclass(frozen=True, slots=True)
class Section:
    """A page of the settings: the name of its address, and its title."""

    name: str
    title: str
    permission: Permission


SECTIONS = (
    Section("settings", "General", Permission.SETTINGS),
    Section("members", "People", Permission.PLACE),
    Section("connect", "Connect", Permission.SEE_WHOLE),
    Section("keys", "API keys", Permission.KEYS),
    Section("prices", "Prices", Permission.PRICES),
    Section("views", "Saved views", Permission.SEE),
    Section("notes", "Notes on days", Permission.SEE_WHOLE),
    Section("imports", "Import a file", Permission.IMPORT),
    Section("arrivals", "What arrived", Permission.SEE_WHOLE),
    Section("audit", "Audit log", Permission.AUDIT),
    Section("data", "Data", Permission.SETTINGS),
)


def sections_for(membership: Membership) -> tuple[Section, ...]:
    """List the sections that the member may open."""
    return tuple(section for section in SECTIONS if may(membership, section.permission))
