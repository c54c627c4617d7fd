"""The picker of a range: those up to now, calendar periods, and the periods before and after the one that is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass

from aggregates.domain import days, ranges
from aggregates.domain.ranges import OVER, ROLLING, TO_DATE, Range
from aggregates.domain.wallclock import span_words
from aggregates.query.addresses import range_parameters, written
from aggregates.query.forms.ranges import RangeForm

Parameters = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A range with its words, and the URL query that chooses it; "" if it is yet to come."""

    name: str
    label: str
    link: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Picker:
    """`segments` are names with labels, to choose by form; `columns` are periods up to now, and those that are over."""

    segments: tuple[tuple[str, str], ...]
    label: str
    columns: tuple[tuple[str, tuple[Choice, ...]], ...]
    previous: Choice
    next: Choice
    period: str  # the name of the period that is chosen, if it is one

    @property
    def is_period(self) -> bool:
        return self.label != "Calendar"


def picker_of(form: RangeForm, beside: Parameters) -> Picker:
    """Make the picker for what a form has chosen; `beside` are the other parameters of its page's address."""
    chosen = form.chosen
    offered = dict(form.fields["range"].choices)  # type: ignore[attr-defined]
    segments = tuple((name, ranges.NAMES[name]) for name in (*ROLLING, "custom") if name in offered)
    columns = tuple(
        (
            title,
            tuple(
                _period(name, label, chosen, beside)
                for name, label in names.items()
                if ranges.is_told(name, form.calendar)
            ),
        )
        for title, names in (("To date", TO_DATE), ("Over", OVER))
    )
    is_named = chosen.name in TO_DATE or chosen.name in OVER
    return Picker(
        segments=segments,
        label=ranges.NAMES[chosen.name] if is_named else period_words(chosen) or "Calendar",
        columns=columns,
        previous=_step(chosen, -1, beside),
        next=_step(chosen, 1, beside),
        period=chosen.name if is_named else "",
    )


def period_words(chosen: Range) -> str:
    """Name whole months, as in “Oct 2026”, “Jul – Sep 2026” or “2026”; "" for any other days."""
    if not chosen.months:
        return ""
    first, last = chosen.first, chosen.through
    if chosen.months == 1:
        return f"{first:%b %Y}"
    if first.year == last.year:
        return str(first.year) if chosen.months == 12 else f"{first:%b} – {last:%b %Y}"
    return f"{first:%b %Y} – {last:%b %Y}"


def _period(name: str, label: str, chosen: Range, beside: Parameters) -> Choice:
    return Choice(name, label, written({"range": name, **beside}), name == chosen.name)


def _step(chosen: Range, number: int, beside: Parameters) -> Choice:
    """The period before or after, by its dates; of the last hours, the day before."""
    if chosen.name == "24h":
        day = chosen.last + number * days.DAY
        other = ranges.of_days("custom", day, day, chosen.zone)
    else:
        other = chosen.shifted(number)
    label = period_words(other) or span_words(other.first, other.last)
    is_known = other.last >= ranges.EARLIEST if number < 0 else chosen.open_at is None
    parameters = range_parameters(other) if is_known else {}
    return Choice("", label, written({**parameters, **beside}) if is_known else "")
