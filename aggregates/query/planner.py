"""Where a query's numbers come from: the log, the aggregates, or both, decided day by day, without a database."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache, cached_property

from django.conf import settings

from aggregates.domain import contents, days
from aggregates.domain.days import MONDAY, Span
from aggregates.domain.dimensions import Grain, HourGrain
from aggregates.domain.periods import UNITS, Period, Unit
from aggregates.domain.scopes import EVERYTHING, Scope
from aggregates.query.hour_parts import HourPart, split
from aggregates.query.usage_query import Bucket, LatencyQuery, NoHours, QueryError, Source, UsageQuery

MOST_PLANS = 16  # that are kept of what is known; a page needs half of them
# Calls of the log. To read fewer several times takes less time than planning one large statement; and one statement is
# to end within the time that it has with more, too.
MANY_CALLS = range(5_000, 500_000)
QUARTER = timedelta(minutes=15)  # after which what is known is as of another moment


@dataclass(frozen=True, slots=True)
class DayState:
    """What is known of a day on which calls were recorded.

    Unless it is stale, its aggregates hold the calls of `rolled`, which begins with the day; `calls` is how many, with
    charges. Those of a kept day hold them though it may be stale, and nothing else does; `whole` says that there are no
    others of it.
    `contents` is which measures and grains the aggregates have; with `has_hours` there are sums of hours, too. A kept
    day is `out_of_sight` if its aggregates hold nothing within the scope of whoever asks.
    """

    rolled: Span | None
    rolled_at: datetime | None
    stale: bool
    calls: int = 0
    kept: bool = False
    whole: bool = True
    contents: int = 1
    has_hours: bool = False
    out_of_sight: bool = False

    def head_of(self, day: Span) -> Span | None:
        """Give the part of the day, from its start, that can be read from the aggregates: all of it, if it is clean."""
        if self.kept:
            return day if self.whole else self.rolled
        usable = self.rolled and not self.stale and self.rolled.start == day.start and self.rolled.end <= day.end
        return self.rolled if usable else None


@dataclass(frozen=True, slots=True)
class Plan:
    """Which days are read where. Days on which nothing was recorded need no reading.

    Of `head_days`, which are among log_days, the first part is read from the aggregates. `periods` are weeks and months
    all days of which are among the other two: they are read from their sums, and `daily_days` day by day. `hours` are
    read from the sums of hours, at a grain of their own; what they leave of a day, which is among log_days, is not.
    """

    grain: Grain | None
    aggregate_days: tuple[date, ...]
    head_days: tuple[date, ...]
    log_days: tuple[date, ...]
    log_spans: tuple[Span, ...]
    empty_days: tuple[date, ...]
    rolled_at: datetime | None  # the latest roll-up among aggregate_days
    rolled_through: date | None  # every day of the range up to this one is rolled up, or without usage
    periods: tuple[Period, ...] = ()
    daily_days: tuple[date, ...] = ()
    unknown: tuple[str, ...] = ()  # names of measures that the aggregates of some kept days do not have
    lost_days: tuple[date, ...] = ()  # days since the log's first whose calls are not all in it
    scope: Scope = EVERYTHING  # of the query
    hours: tuple[HourPart, ...] = ()
    hour_grain: HourGrain | None = None
    reads_many: bool = False  # calls of the log, as far as can be told from what is rolled up of log_days


@dataclass(frozen=True)
class DayStates:
    """What a snapshot knows of an organization: the days on which calls were recorded; the day from which on the log
    has calls, if there is one; and the weeks and months whose sums are those of their daily aggregates.

    It is as of `now`, or of any moment up to then. Plans of one span are alike: a few are kept.
    """

    states: Mapping[date, DayState]
    now: datetime
    log_from: date | None = None
    periods: Collection[Period] = ()
    plans: dict[tuple[object, ...], Plan] = field(default_factory=dict)

    @cached_property
    def has_kept(self) -> bool:
        return any(state.kept for state in self.states.values())

    @cached_property
    def outdated(self) -> frozenset[int]:
        """The contents, other than today's, that some days' aggregates have."""
        return frozenset(state.contents for state in self.states.values()) - {contents.current()}


def choose_source(query: UsageQuery, day_states: DayStates, whole: UsageQuery | None = None) -> Plan:
    """Decide, day by day, where the query is answered from: if it is a part of another, from where that is.

    Raises QueryError if the aggregates alone would have to answer it and cannot, or if it insists on aggregates and
    there are none.
    """
    from_log = _reads_log(whole or query, day_states.states)
    if day_states.has_kept:
        _check_aggregates_answer(query, day_states)
    units = (
        () if from_log or query.grain is None else _units(query.bucket, query.grain, query.organization.first_weekday)
    )
    lacking = frozenset(version for version in day_states.outdated if _lacks(version, query.grain, query.dimensions))
    with_hours = query.hour_grain is not None and _takes_hours(whole or query, day_states.states)
    key = (query.start, query.end, query.zone, from_log, units, lacking, with_hours)
    plan = day_states.plans.get(key)
    if plan is None:
        if len(day_states.plans) >= MOST_PLANS:
            day_states.plans.clear()
        plan = day_states.plans[key] = _plan_days(query, day_states, from_log, units, lacking, with_hours)
    if query.source == Source.AGGREGATES and plan.log_days:
        _refuse(query, plan.log_days)
    return replace(plan, grain=query.grain, hour_grain=query.hour_grain, scope=query.scope)


@cache
def _units(bucket: Bucket, grain: Grain, first_weekday: int) -> tuple[Unit, ...]:
    """List the units whose periods each fall into one bucket, and have sums of that grain; the longest first. Weeks are
    summed from Monday."""
    weeks = ("week",) if first_weekday == MONDAY else ()
    within = {Bucket.TOTAL: ("month", "week"), Bucket.MONTH: ("month",), Bucket.WEEK: weeks}.get(bucket, ())
    return tuple(unit for unit in UNITS if unit.name in within and grain in unit.grains)


def _lacks(version: int, grain: Grain | None, dimensions: Collection[str]) -> bool:
    """Tell whether aggregates of that version lack something that a query of this grain asks for."""
    return bool(contents.lacks(version)) or (grain is not None and not contents.answers(version, grain, dimensions))


def _plan_days(
    query: UsageQuery,
    day_states: DayStates,
    from_log: bool,
    units: Collection[Unit],
    lacking: Set[int],
    with_hours: bool,
) -> Plan:
    """Plan where each day of the query's span is read; the same for every grain that has sums of these units, and that
    the same contents lack; of the log's what hours hold from these, if they are asked."""
    log_from = day_states.log_from or date.min
    aggregate: list[date] = []
    heads: list[date] = []
    log: list[date] = []
    empty: list[date] = []
    spans: list[Span] = []
    hours: list[HourPart] = []
    rolled_through, unbroken = None, True
    for day, span in query.days:
        whole, state = days.span_of(day, query.zone), day_states.states.get(day)
        if day < log_from and state is None:
            empty.append(day)
            rolled_through = day if unbroken else rolled_through
            continue
        if state and state.out_of_sight:
            rest = _after_kept(state, whole, span)
            (log if rest else empty).append(day)
            spans += [rest] if rest else []
            unbroken = unbroken and not rest
            rolled_through = day if unbroken else rolled_through
            continue
        known = state.head_of(whole) if state else None
        head = known if state and (state.kept or state.contents not in lacking) else None
        if state and state.kept and head == whole:
            aggregate.append(day)
            rolled_through = day if unbroken else rolled_through
            continue
        clean = whole.end <= day_states.now and (state is None or known == whole)
        if clean and head and span is whole and unbroken and not from_log:  # nearly all days are so
            rolled_through = day
            aggregate.append(day)
            continue
        if unbroken := unbroken and clean:
            rolled_through = day
        if clean and state is None and (with_hours or not from_log):
            empty.append(day)
        elif state and head and head == head.clipped(span) and (state.kept or not from_log):
            rest = Span(head.end, span.end)
            (heads if rest else aggregate).append(day)
            log += [day] if rest else []
            spans += [rest] if rest else []
        else:
            rests = [span]
            if with_hours and state and known and state.has_hours and not state.kept and _is_current(state):
                part, rests = split(day, span, whole, known)
                hours += [part] if part else []
            log += [day] if rests else []
            spans += rests
    periods = _periods({*aggregate, *empty}, day_states, units) if units else ()
    in_periods = {day for period in periods for day in period.dates}
    return Plan(
        grain=None,
        aggregate_days=tuple(aggregate),
        head_days=tuple(heads),
        log_days=tuple(log),
        log_spans=tuple(_join(spans)),
        empty_days=tuple(empty),
        rolled_at=max(
            (
                rolled
                for day in (*aggregate, *(part.day for part in hours))
                if (rolled := day_states.states[day].rolled_at)
            ),
            default=None,
        ),
        rolled_through=rolled_through,
        periods=periods,
        daily_days=tuple(sorted(day for day in (*aggregate, *heads) if day not in in_periods)),
        unknown=_unknown([*aggregate, *heads], day_states) if day_states.outdated else (),
        lost_days=lost_days(query, day_states),
        hours=tuple(hours),
        reads_many=_are_many(log, spans, day_states),
    )


def _are_many(log: Sequence[date], spans: Iterable[Span], day_states: DayStates) -> bool:
    """Tell whether the log is likely to have many calls in these spans of days: as many a second as what is rolled up
    of the days has, or of the day before; where nothing is, it may have many."""
    states = [state for day in log if (state := day_states.states.get(day))]
    if any(not state.rolled for state in states):
        states += [state for day in log if (state := day_states.states.get(day - days.DAY))]
    rates = [state.calls / max(_seconds(state.rolled), 1) for state in states if state.rolled]
    until = day_states.now + QUARTER
    seconds = sum(max(_seconds(Span(span.start, min(span.end, until))), 0) for span in spans)
    return int(max(rates) * seconds) in MANY_CALLS if rates else bool(states)


def _seconds(span: Span) -> float:
    return (span.end - span.start).total_seconds()


def _after_kept(state: DayState, day: Span, span: Span) -> Span:
    """Give the part of a span of a kept day that is in the log; it may be empty."""
    head = state.head_of(day)
    return Span(max(head.end, span.start), span.end) if head else span


def _is_current(state: DayState) -> bool:
    """Say whether hours have all measures: they are those of the version that a day was rolled up with."""
    return state.contents == contents.current()


def lost_days(query: UsageQuery, day_states: DayStates) -> tuple[date, ...]:
    """List the days of a query, from the first that the log has calls of, whose calls are not all in it."""
    first = day_states.log_from or date.min
    return tuple(day for day in days_not_in_log(query, day_states) if day >= first)


def days_not_in_log(query: UsageQuery, day_states: DayStates) -> tuple[date, ...]:
    """List the days of a query whose calls are not all in the log, those before its first among them."""
    return tuple(day for day, _, _ in _kept(query, day_states))


def _kept(query: UsageQuery, day_states: DayStates) -> list[tuple[date, Span, DayState]]:
    """List the kept days of a query, with their part of it; not those on which only others had usage."""
    if not day_states.has_kept:
        return []
    found = ((day, span, day_states.states.get(day)) for day, span in query.days)
    return [(day, span, state) for day, span, state in found if state and state.kept and not state.out_of_sight]


def _unknown(read: Iterable[date], day_states: DayStates) -> tuple[str, ...]:
    """The names of measures that the aggregates of some of these days do not have, and the log no longer."""
    versions = {state.contents for day in read if (state := day_states.states[day]).kept} & day_states.outdated
    return tuple(dict.fromkeys(name for version in sorted(versions) for name in contents.lacks(version)))


def _periods(unlogged: Set[date], day_states: DayStates, units: Iterable[Unit]) -> tuple[Period, ...]:
    """Choose the periods that can be read as such: all their days are in the range, none needs the log, and none is in
    another one that is read, too."""
    left = set(unlogged)
    chosen: list[Period] = []
    for unit in units:
        for period in sorted(period for period in day_states.periods if period.unit == unit.name):
            if left.issuperset(period.dates):
                left.difference_update(period.dates)
                chosen.append(period)
    return tuple(chosen)


def _reads_log(query: UsageQuery, states: Mapping[date, DayState]) -> bool:
    """Say whether all days are read from the log: detail that no aggregate has, or a range so short that it is no
    work."""
    if query.source == Source.LOG or query.bucket == Bucket.HOUR or query.grain is None:
        return True
    if query.source == Source.AGGREGATES or len(query.days) > settings.LIVE_DAYS:
        return False
    if isinstance(query, LatencyQuery):  # what is read for the sums does not give them
        return False
    return not _has_many(query, states)


def _takes_hours(query: UsageQuery, states: Mapping[date, DayState]) -> bool:
    """Say whether hours are read from their sums: of so many calls that to read them would be work."""
    return query.source == Source.AUTO and _has_many(query, states)


def _has_many(query: UsageQuery, states: Mapping[date, DayState]) -> bool:
    """Say whether the closed days of a query have more calls than are read from the log at once."""
    return sum(states[day].calls for day, _ in query.days if day in states) > settings.LIVE_CALLS


def _check_aggregates_answer(query: UsageQuery, day_states: DayStates) -> None:
    """Raise QueryError if the query asks of kept days what their aggregates do not hold."""
    asked = _kept(query, day_states)
    if not asked:
        return
    error: type[QueryError] = QueryError
    if query.source == Source.LOG:
        reason = "the log cannot answer: leave the source to us"
    elif query.bucket == Bucket.HOUR or not all(_holds(span, day, query, state) for day, span, state in asked):
        error, reason = NoHours, "daily aggregates know no hours: ask by day"
    elif query.grain is None:
        reason = f"no daily aggregate holds {query.asked}: ask for fewer of them, or for later days"
    elif not all(contents.answers(state.contents, query.grain, query.dimensions) for _, _, state in asked):
        reason = f"their aggregates do not hold {query.asked}: ask for fewer, or for later days"
    else:
        return
    raise error(f"{named_days(query, [day for day, _, _ in asked], day_states.log_from)}, and {reason}.")


def _holds(span: Span, day: date, query: UsageQuery, state: DayState) -> bool:
    """Say whether the span begins with the day and has all of the part that only the day's aggregates know."""
    head = state.head_of(days.span_of(day, query.zone))
    return head is not None and head == head.clipped(span)


def named_days(query: UsageQuery, kept: Sequence[date], log_from: date | None) -> str:
    """Say in words which days of a query have lost their calls."""
    others = [day for day in kept if not log_from or day >= log_from]
    if not others:
        return f"The calls of days before {log_from} are no longer kept"
    return f"Calls of {_listed(query, others)} are missing from the log"


def _listed(query: UsageQuery, listed: Sequence[date]) -> str:
    """List some days; within a scope the range that was asked about, as on these days maybe only others had usage."""
    if query.scope:
        whole = f"some of the days from {query.first} to {query.last}"
        return whole if query.first < query.last else str(query.first)
    return ", ".join(map(str, listed[:5])) + (" and others" if len(listed) > 5 else "")


def _refuse(query: UsageQuery, missing: Sequence[date]) -> None:
    if query.bucket == Bucket.HOUR:
        raise QueryError("Daily aggregates know no hours: ask by day, or leave the source to us.")
    if query.grain is None:
        raise QueryError(f"No daily aggregate holds {query.asked}: leave the source to us.")
    raise QueryError(
        f"Not all days are rolled up: {_listed(query, missing)}. Run aggregate_day, or leave the source to us."
    )


def _join(spans: Iterable[Span]) -> Iterator[Span]:
    """Join spans that touch; they come in order."""
    held: Span | None = None
    for span in spans:
        if held and held.end == span.start:
            held = Span(held.start, span.end)
        else:
            if held:
                yield held
            held = span
    if held:
        yield held
