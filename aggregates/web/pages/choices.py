"""The groups of a dimension that a filter can keep, with what each costs: to pick several from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aggregates.db.limits import TimedOut
from aggregates.db.standby import prefer_standby
from aggregates.domain.calls import KEY
from aggregates.domain.measures import Sums
from aggregates.models import Organization
from aggregates.query.addresses import flat
from aggregates.query.groups import COSTS, GroupPage, Listing, read_groups
from aggregates.query.selection import Selection
from aggregates.query.stored_selections import MAX_VALUES
from aggregates.query.usage_query import QueryError
from aggregates.web.names import name_of
from aggregates.web.pages.dashboard import PATIENCE

MOST = 25  # groups, where nothing is typed


@dataclass(frozen=True, slots=True)
class Option:
    """A group to pick; `sums` are those of the range, None where it was picked before and is not among those found."""

    value: str
    name: str
    sums: Sums | None
    is_picked: bool

    @property
    def field(self) -> str:
        """The name of its input in a form, by which its text is read."""
        return flat({"pick": [self.value]})[0][0]

    @property
    def text(self) -> str:
        return flat({"pick": [self.value]})[0][1]


@dataclass(frozen=True, slots=True)
class Choice:
    """What there is to pick from; `has_more` says that others match that are not listed."""

    options: tuple[Option, ...] = ()
    has_more: bool = False


@prefer_standby
def read(selection: Selection, by: str, typed: str, picked: Sequence[str], *, is_beginning: bool) -> Choice:
    """List the groups that match what is typed, the one that costs most first; after those that are picked already.

    What the selection keeps or leaves out of the dimension is not listed; all else that it filters by counts.
    """
    organization = selection.organization
    ours = {value for name, value in (*selection.filters, *selection.excluded) if name == by}
    query = selection.with_filter(by, None).in_all(by=by)
    listing = Listing(
        containing=typed,
        is_beginning=is_beginning,
        named=keys_named(organization, by, typed),
        length=(MAX_VALUES if typed else MOST) + len(ours),
        measures=COSTS,
    )
    try:
        page: GroupPage | None = read_groups(query, None, listing, seconds=PATIENCE)
    except (QueryError, TimedOut):
        page = None
    found = {group.key: group.now for group in page.groups} if page else {}
    options = [_option(organization, by, value, found.get(value), picked) for value in picked if value not in ours]
    options += [
        _option(organization, by, key, sums, picked)
        for key, sums in found.items()
        if key not in ours and key not in picked
    ]
    return Choice(tuple(options), has_more=page is not None and page.count > len(page.groups))


def keys_named(organization: Organization, by: str, typed: str) -> tuple[str, ...]:
    """The API keys to which people gave names that contain the text; () for other dimensions."""
    if by != KEY or not typed:
        return ()
    return tuple(key for key, name in organization.key_names.items() if typed.lower() in name.lower())


def _option(organization: Organization, by: str, value: str, sums: Sums | None, picked: Collection[str]) -> Option:
    return Option(value, name_of(organization, by, value), sums, value in picked)
