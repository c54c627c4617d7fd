"""The page of all groups of a dimension: in any order, found by their names, each beside what it was before."""

from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.domain.measures import RANKS, Sums
from aggregates.domain.money import EXACT
from aggregates.query.earlier import Earlier, earlier_of
from aggregates.query.groups import ORDERS, REVERSED, GroupPage, GroupSums, Listing, read_groups
from aggregates.query.provenance import provenance
from aggregates.query.selection import GroupSelection
from aggregates.query.usage_query import QueryError
from aggregates.web.pages.choices import keys_named
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.tables import share_of, whole_of
from aggregates.web.pages.tiles import Change, relative

PAGE = 50


@dataclass(frozen=True, slots=True)
class Column:
    """A column by which the groups can be put in order: `order` is what its heading leads to, `way` how it is now."""

    name: str
    label: str
    order: str
    way: str  # as aria-sort has it, "" where the groups are in another order


@dataclass(frozen=True, slots=True)
class Line:
    """A group: its share in percent of all that are listed, and how its cost has changed."""

    key: str
    now: Sums
    before: Sums
    share: Decimal
    difference: Decimal
    shown_difference: Decimal  # the same, or that of a day
    change: Change


@dataclass(frozen=True)
class Groups:
    """`refusal` says why there is nothing else."""

    selection: GroupSelection
    page: GroupPage | None = None
    lines: tuple[Line, ...] = ()
    total: Line | None = None
    provenance: str = ""
    refusal: str = ""
    earlier: Earlier | None = None

    @property
    def dimension(self) -> Dimension:
        return BY_NAME[self.selection.by or ""]

    @property
    def columns(self) -> tuple[Column, ...]:
        change = "Change a day" if self.selection.is_per_day else "Change"
        labels = {"name": self.dimension.name.capitalize(), "cost": "Cost", "before": "Before", "change": change}
        labels |= {"calls": "Calls", "tokens": "Tokens", "errors": "Errors"}
        if self.page and self.page.without_before:
            labels = {name: label for name, label in labels.items() if name not in ("before", "change")}
        return tuple(_column(name, label, self.selection.order) for name, label in labels.items())

    @property
    def pages(self) -> int:
        return max(1, -(-self.page.count // PAGE)) if self.page else 1

    @property
    def first(self) -> int:
        """The place of the first group of the page among all of them."""
        return (self.page.number - 1) * PAGE + 1 if self.page and self.page.groups else 0

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


def _column(name: str, label: str, order: str) -> Column:
    descending = ORDERS[name][1]
    if order == name:
        return Column(name, label, REVERSED + name, "descending" if descending else "ascending")
    return Column(name, label, name, ("ascending" if descending else "descending") if order == REVERSED + name else "")


@prefer_standby
def load(selection: GroupSelection, number: int = 1) -> Groups:
    """Read the page of that number."""
    by = selection.by
    named = keys_named(selection.organization, by or "", selection.sought)
    listing = Listing(selection.order, selection.sought, named=named, number=number, length=PAGE)
    try:
        with snapshot(PATIENCE):
            listing = replace(listing, lengths=earlier_of(selection).lengths)
            selection, page = _read(selection, listing)
            earlier = earlier_of(selection)
    except (QueryError, TimedOut) as error:
        return Groups(selection, refusal=str(error))
    whole = whole_of(page.now, selection.order if selection.order in RANKS else "cost")
    total = GroupSums("", page.now, page.part, page.before)
    return Groups(
        selection,
        page,
        tuple(_line(group, page.now, whole, earlier) for group in page.groups),
        _line(total, page.now, whole, earlier),
        provenance(page.plan, selection.organization.time_zone, page.as_of),
        earlier=earlier,
    )


def _read(selection: GroupSelection, listing: Listing) -> tuple[GroupSelection, GroupPage]:
    """Read the page; whole days alone are compared where hours of the earlier range are no longer kept."""
    now, part, before = (each.in_all(by=selection.by) for each in (selection, selection.comparable, selection.compared))
    is_part = selection.is_compared_by_whole_days
    page = read_groups(now, before, listing, part=part if is_part else None, seconds=PATIENCE)
    by_whole_days = replace(selection, has_hours_before=False)
    if page.without_before and selection.has_hours_before and by_whole_days.is_compared_by_whole_days:
        return _read(by_whole_days, listing)
    return selection, page


def _line(group: GroupSums, total: Sums, whole: str, earlier: Earlier) -> Line:
    lengths = earlier.lengths
    change = relative(lengths.of_now(group.part.cost), lengths.of_before(group.before.cost), more_is="bad")
    return Line(
        group.key,
        group.now,
        group.before,
        share_of(group.now, total, whole),
        EXACT.subtract(group.part.cost, group.before.cost),
        lengths.difference(group.before.cost, group.part.cost),
        change if earlier.has_percentage else Change("none", "–"),
    )
