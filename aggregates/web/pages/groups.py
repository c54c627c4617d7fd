"""The page of all groups of a dimension: in any order, found by their names, each beside what it was before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats, money
from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.domain.measures import RANKS, Sums
from aggregates.domain.money import EXACT
from aggregates.query.earlier import Earlier, earlier_of
from aggregates.query.groups import ORDERS, REVERSED, GroupPage, GroupSums, Listing, read_groups, read_latencies
from aggregates.query.provenance import provenance
from aggregates.query.selection import GroupSelection
from aggregates.query.usage_query import QueryError
from aggregates.web.pages.choices import keys_named
from aggregates.web.pages.columns import NONE, Cell, cells_of
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.sentences import signed
from aggregates.web.pages.tables import share_of, whole_of
from aggregates.web.pages.tiles import Change, relative

PAGE = 50
NOT_KNOWN = "not known: there are no prices to compare"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `order` is what its heading leads to, "" where the groups cannot be put in order by it, and `way` how
    they are now."""

    name: str
    label: str
    order: str
    way: str  # as aria-sort has it, "" where the groups are in another order


@dataclass(frozen=True, slots=True)
class Line:
    """A group: its share in percent of all that are listed, if there is anything to have a share of; its cells, and how
    its cost has changed."""

    key: str
    now: Sums
    share: Decimal | None
    cells: tuple[Cell, ...]
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
    without_latency: str = ""

    @property
    def dimension(self) -> Dimension:
        return BY_NAME[self.selection.by or ""]

    @property
    def columns(self) -> tuple[Column, ...]:
        labels = {"name": self.dimension.name.capitalize()}
        for measure in self.selection.shown_columns:
            labels[measure.name] = measure.heading
            if measure.name == "cost" and self.page and not self.page.without_before:
                labels |= {"before": "Before", "change": "Change a day" if self.selection.is_per_day else "Change"}
        return tuple(_column(name, label, self.selection.order) for name, label in labels.items())

    @property
    def rank(self) -> str:
        """What groups are in the order of, of what shares can be of."""
        return self.selection.order if self.selection.order in RANKS else "cost"

    @property
    def whole(self) -> str:
        """What shares are of."""
        return whole_of(self.page.now, self.rank) if self.page else self.rank

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
    if name not in ORDERS:
        return Column(name, label, "", "")
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
            page, without_latency = _with_latencies(selection, page)
    except (QueryError, TimedOut) as error:
        return Groups(selection, refusal=str(error))
    found = Groups(
        selection,
        page,
        provenance=provenance(page.plan, selection.organization.time_zone, page.as_of),
        earlier=earlier,
        without_latency=without_latency,
    )
    *lines, total = _lines(selection, page, earlier, found.whole)
    return replace(found, lines=tuple(lines), total=total)


def _with_latencies(selection: GroupSelection, page: GroupPage) -> tuple[GroupPage, str]:
    """Give the groups of the page the histograms of their latencies, if a column needs them; or say why they are not
    known. Of those that a text was sought for, nobody adds up the total."""
    if not any(column.is_latency for column in selection.shown_columns):
        return page, ""
    query = selection.in_all(by=selection.by)
    try:
        found, reason = read_latencies(query, page, has_total=not selection.sought, seconds=PATIENCE)
    except TimedOut as error:
        return page, str(error)
    groups = tuple(replace(each, now=each.now._replace(latency=found.get(each.key))) for each in page.groups)
    return replace(page, groups=groups, now=page.now._replace(latency=found.get(None))), reason


def _read(selection: GroupSelection, listing: Listing) -> tuple[GroupSelection, GroupPage]:
    """Read the page; whole days alone are compared where hours of the earlier range are no longer kept."""
    now, part, before = (each.in_all(by=selection.by) for each in (selection, selection.comparable, selection.compared))
    is_part = selection.is_compared_by_whole_days
    page = read_groups(now, before, listing, part=part if is_part else None, seconds=PATIENCE)
    by_whole_days = replace(selection, has_hours_before=False)
    if page.without_before and selection.has_hours_before and by_whole_days.is_compared_by_whole_days:
        return _read(by_whole_days, listing)
    return selection, page


def _lines(selection: GroupSelection, page: GroupPage, earlier: Earlier, whole: str) -> list[Line]:
    """Make the lines of the page, and the last one of all groups; shares are of `whole`."""
    groups = [*page.groups, GroupSums("", page.now, page.part, page.before)]
    cells = _cells(selection, groups, earlier, has_before=not page.without_before)
    return [
        Line(group.key, group.now, share_of(group.now, page.now, whole), of_row, _change(group, earlier))
        for group, of_row in zip(groups, cells, strict=True)
    ]


def _change(group: GroupSums, earlier: Earlier) -> Change:
    lengths = earlier.lengths
    change = relative(lengths.of_now(group.part.cost), lengths.of_before(group.before.cost), more_is="bad")
    return change if earlier.has_percentage else Change("none", "–")


def _cells(
    selection: GroupSelection, groups: Sequence[GroupSums], earlier: Earlier, *, has_before: bool
) -> list[tuple[Cell, ...]]:
    """Write the cells; the cost, what it was before, and the difference, which may be that of a day, have the same
    decimals."""
    columns = selection.shown_columns
    found = cells_of(columns, [group.now for group in groups])
    if not any(column.name == "cost" for column in columns):
        return found
    differences = [earlier.lengths.difference(group.before.cost, group.part.cost) for group in groups]
    costs = [
        cost for group in groups for cost in ((group.now.cost, group.before.cost) if has_before else (group.now.cost,))
    ]
    write = money.alike([*costs, *(differences if has_before else ())])

    def of_cost(sums: Sums, name: str) -> Cell:
        text = "–" if not sums.rows else formats.NO_PRICE if formats.has_no_price(sums) else write(sums.cost)
        return Cell(name, text, formats.exact_cost(sums))

    def beside(group: GroupSums, difference: Decimal) -> tuple[Cell, ...]:
        in_all = " in all" if earlier.lengths.is_per_day else ""
        exactly = f"{money.display_exact(EXACT.subtract(group.part.cost, group.before.cost))}{in_all}"
        is_known = difference or not (formats.has_no_price(group.part) or formats.has_no_price(group.before))
        changed = Cell("change", signed(difference, write), exactly) if is_known else Cell("change", NONE, NOT_KNOWN)
        return (of_cost(group.now, "cost"), *((of_cost(group.before, "before"), changed) if has_before else ()))

    at = next(number for number, column in enumerate(columns) if column.name == "cost")
    return [
        (*cells[:at], *beside(group, difference), *cells[at + 1 :])
        for cells, group, difference in zip(found, groups, differences, strict=True)
    ]
