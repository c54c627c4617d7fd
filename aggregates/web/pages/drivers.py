"""The drivers of a change: which values of a dimension cost more or less than before, largest difference first."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats
from aggregates.domain.dimensions import BY_NAME, DIMENSIONS, Dimension, grain_for
from aggregates.domain.lengths import WHOLE, Lengths
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.query.earlier import earlier_of
from aggregates.query.groups import COSTS, DIFFERENCE, GroupPage, Listing, read_groups
from aggregates.query.selection import Selection
from aggregates.query.usage_query import QueryError
from aggregates.web.pages.compared import Compared, alike
from aggregates.web.pages.dashboard import PATIENCE

TOP = 10
NOT_KNOWN = "–"
FIRST, SECOND = "operation", "model"  # the dimensions whose values are shown where no other is chosen


@dataclass(frozen=True, slots=True)
class Driver(Compared):
    """A value ('' unknown, None all others) with its sums then and now."""

    key: str | None = None
    sums_before: Sums = Sums()
    sums_now: Sums = Sums()

    @property
    def text_before(self) -> str:
        return _text(self.sums_before, self.amounts[0], self.write)

    @property
    def text_now(self) -> str:
        return _text(self.sums_now, self.amounts[1], self.write)

    @property
    def text(self) -> str:
        """Write no difference where all that there is to compare has no price: that is not $0."""
        is_known = self.compared or not (formats.has_no_price(self.sums_before) or formats.has_no_price(self.sums_now))
        return super(Driver, self).text if is_known else NOT_KNOWN


def _text(sums: Sums, cost: Decimal, write: Callable[[Decimal], str]) -> str:
    return "–" if not sums.rows else formats.NO_PRICE if formats.has_no_price(sums) else write(cost)


@dataclass(frozen=True, slots=True)
class Drivers:
    """`refusal` says why there are no lines."""

    dimension: Dimension
    lines: tuple[Driver, ...] = ()
    total: Driver | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Opened:
    """What within a driver has changed, by one of the dimensions that it may be looked at by; the selection is filtered
    to the driver."""

    selection: Selection
    dimension: Dimension
    drivers: Drivers
    choices: tuple[Dimension, ...]


def dimensions_of(selection: Selection) -> tuple[str, str]:
    """Name the dimensions whose drivers are shown: the one that usage is broken down by, and another."""
    by = selection.by or FIRST
    return by, SECOND if by == FIRST else FIRST


def read_drivers(selection: Selection, name: str) -> Drivers:
    """Read the values of a dimension with usage in either range; those beyond the first in one line, so that they add
    up. Says why where that cannot be answered; raises TimedOut."""
    try:
        return drivers_of(BY_NAME[name], _read(selection, name), earlier_of(selection).lengths)
    except QueryError as error:
        return Drivers(BY_NAME[name], refusal=str(error))


def _read(selection: Selection, name: str) -> GroupPage:
    now, before = (each.in_all(by=name) for each in (selection.comparable, selection.compared))
    listing = Listing(DIFFERENCE, length=TOP, measures=COSTS, lengths=earlier_of(selection).lengths)
    page = read_groups(now, before, listing, seconds=PATIENCE)
    if page.without_before:
        raise QueryError(page.without_before)
    return page


def drivers_of(dimension: Dimension, page: GroupPage, lengths: Lengths = WHOLE) -> Drivers:
    """Make a line of each group, and one of all others."""
    whole = lengths.difference(page.before.cost, page.now.cost)

    def line(key: str | None, before: Sums, now: Sums) -> Driver:
        return Driver(before.cost, now.cost, whole, lengths, key=key, sums_before=before, sums_now=now)

    lines = [line(group.key, group.before, group.now) for group in page.groups]
    if page.count > len(lines):
        before = _rest(page.before, [each.sums_before for each in lines])
        lines.append(line(None, before, _rest(page.now, [each.sums_now for each in lines])))
    *shown, total = alike([*lines, line(None, page.before, page.now)])
    return Drivers(dimension, tuple(shown), total)


def _rest(whole: Sums, parts: list[Sums]) -> Sums:
    known = Sums.of(parts)
    rest = {name: getattr(whole, name) - getattr(known, name) for name in COSTS if name != "cost"}
    return Sums(cost=EXACT.subtract(whole.cost, known.cost), **rest)


def choices_within(selection: Selection, name: str) -> tuple[Dimension, ...]:
    """List the other dimensions that aggregates hold together with this one and all filters."""
    filtered = {each for each, _ in (*selection.filters, *selection.excluded)}
    filtered |= {*selection.organization.scope.dimensions}
    return tuple(
        dimension
        for dimension in DIMENSIONS
        if dimension.name != name and grain_for({*filtered, name, dimension.name}) is not None
    )


@prefer_standby
def open_driver(selection: Selection, name: str) -> Opened:
    """Read what has changed within a value of a dimension, to which the selection is filtered: by its breakdown, where
    aggregates hold that, or else by another one; whole days where hours of before are not known."""
    choices = choices_within(selection, name)
    by = next((each for each in choices if each.name == selection.by), choices[0] if choices else BY_NAME[name])
    try:
        with snapshot(PATIENCE):
            drivers = read_drivers(selection, by.name)
    except TimedOut as error:
        drivers = Drivers(by, refusal=str(error))
    by_whole_days = replace(selection, has_hours_before=False)
    if drivers.refusal and selection.has_hours_before and by_whole_days.is_compared_by_whole_days:
        return open_driver(by_whole_days, name)
    return Opened(replace(selection, by=by.name), BY_NAME[name], drivers, choices)
