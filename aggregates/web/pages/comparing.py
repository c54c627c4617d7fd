"""What a page of changes can be compared with, to choose from."""

from dataclasses import dataclass, replace

from aggregates.domain import ranges
from aggregates.domain.ranges import OVER
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.selection import BEFORE, DATES, PER_DAY, YEAR, Selection

RELATIVE = {BEFORE: "With the range before", YEAR: "With the year before"}
ANY_DATES = {DATES: "With dates…"}


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The choices, in groups with a title or without one; and the dates from `first` to `last`, where these can be
    chosen."""

    groups: tuple[tuple[str, tuple[Choice, ...]], ...]
    has_dates: bool = False
    first: str = ""
    last: str = ""


def comparison_of(form: DashboardForm, selection: Selection) -> Comparison:
    periods = {name: f"With {label.lower()}" for name, label in OVER.items() if ranges.is_told(name, form.calendar)}
    groups = tuple(
        (title, tuple(_choice(name, label, selection) for name, label in labels.items()))
        for title, labels in (("", RELATIVE), ("A period that is over", periods), ("Any days", ANY_DATES))
    )
    beside = selection.beside
    if beside is None or selection.compared_with != DATES:
        return Comparison(groups)
    return Comparison(groups, has_dates=True, first=str(beside.first), last=str(beside.last))


def _choice(name: str, label: str, selection: Selection) -> Choice:
    """A choice stays by the day where it is compared so."""
    is_chosen = name == selection.compared_with
    if selection.is_per_day:
        return Choice(f"{name}{PER_DAY}", label, is_chosen)
    return Choice("" if name == BEFORE else name, label, is_chosen)


def other_way(selection: Selection) -> Selection:
    """Compare by the day, or no longer."""
    name = selection.compared_with
    if selection.is_per_day:
        return replace(selection, compare="" if name == BEFORE else name)
    return replace(selection, compare=f"{name}{PER_DAY}")
