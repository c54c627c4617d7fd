"""All that the list of calls shows, read in one snapshot."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain import days, formats, money
from aggregates.domain.calls import CHARGE
from aggregates.domain.days import Span
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import Sums
from aggregates.domain.money import EXACT
from aggregates.domain.wallclock import NARROW_SPACE, abbreviation, clock, day_words, moment_words, weekday_words
from aggregates.models import UsageLog
from aggregates.models.log import RowKind
from aggregates.pricing import Pricer
from aggregates.query.answer import Answer
from aggregates.query.call_order import ORDERS, CostCursor, Cursor, Order
from aggregates.query.day_states import read_log_from
from aggregates.query.listing import (
    KINDS,
    Counted,
    Kind,
    Neighbours,
    PageBoundary,
    read_neighbours,
    read_page,
    spans_with_calls,
)
from aggregates.query.planner import named_days
from aggregates.query.provenance import provenance
from aggregates.query.runner import read
from aggregates.query.selection import CALL_COLUMNS, CallSelection
from aggregates.query.usage_query import QueryError
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.unpriced import why_not

PAGE = 50
DECIMALS = 6  # of dollars that the costs of a page of calls have at most, where the largest needs fewer
NUMBERS = {"input", "cached", "output", "reasoning", "took", "speed", "cost"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a column shows of a call, and the same to the last digit, or with what is a part of it; `is_recorded` says
    that it is a text of others."""

    name: str
    text: str
    exact: str = ""
    is_recorded: bool = False

    @property
    def label(self) -> str:
        return CALL_COLUMNS[self.name]


@dataclass(frozen=True)
class Line:
    """A call or charge; `why` says why it has no price."""

    call: UsageLog
    time: str
    moment: str
    cells: tuple[Cell, ...]
    why: str


@dataclass(frozen=True)
class Day:
    """The calls of a day that are on the page; `summary` tells of all of its calls in the range, where known. By cost,
    those of all days, without words."""

    words: str
    summary: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Calls:
    """`unknown` says why there are no totals, `refusal` why there is no list; `gone` are calls no longer kept; `lost`
    says of which later days calls are missing from the log, and so from the list."""

    selection: CallSelection
    kept: Span
    days: tuple[Day, ...] = ()
    count: int | None = None
    totals: Sums | None = None  # where the list is of calls of all kinds
    newer: Cursor | CostCursor | None = None
    older: Cursor | CostCursor | None = None
    log_from: date | None = None
    gone: int = 0
    lost: str = ""
    unknown: str = ""
    refusal: str = ""
    provenance: str = ""
    has_charges: bool = False

    @property
    def columns(self) -> tuple[tuple[str, str, bool], ...]:
        """The columns of the list, each with its heading, and whether it is of numbers."""
        return tuple((name, CALL_COLUMNS[name], name in NUMBERS) for name in self.selection.call_columns)

    @property
    def has_tokens(self) -> bool:
        """Whether input and output may stand side by side, as on a phone."""
        return not self.selection.shown

    @property
    def width(self) -> int:
        """How many cells a row has, with that of the time."""
        return 1 + len(self.columns)

    @property
    def orders(self) -> tuple[Order, ...]:
        return tuple(ORDERS.values())

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds to choose from: charges where there are any, or where they are chosen."""
        shows_charges = self.has_charges or self.selection.status == CHARGE
        return tuple(kind for kind in KINDS.values() if kind.name != CHARGE or shows_charges)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a range that have calls to list, and what the range comes to by day; `unknown` says why that is not
    known: then the whole range is one part."""

    kept: Span
    log_from: date | None = None
    answer: Answer | None = None
    spans: tuple[Counted, ...] = ()
    unknown: str = ""


@prefer_standby
def load(selection: CallSelection, boundary: PageBoundary | None = None) -> Calls:
    """Read the page of the list that begins at a boundary, or the first."""
    query, kind = selection.by_day, KINDS[selection.status]
    found = Parts(selection.span)
    try:
        with snapshot(PATIENCE) as as_of:
            found = _parts(selection)
            page = read_page(query, kind, found.spans, boundary, PAGE, ORDERS[selection.sort])
    except TimedOut as error:
        return Calls(selection, found.kept, unknown=found.unknown, refusal=str(error))
    answer, kept, log_from = found.answer, found.kept, found.log_from
    by_day = {days.date_of(row.start, query.zone): row.sums for row in answer.rows} if answer else {}
    lost = answer.plan.lost_days if answer else ()
    return Calls(
        selection,
        kept,
        days=_by_day(page.calls, selection, by_day),
        count=kind.count(answer.totals) if answer else None,
        totals=answer.totals if answer and not selection.status else None,
        newer=page.newer,
        older=page.older,
        log_from=log_from if kept != selection.span else None,
        gone=sum(kind.count(row.sums) for row in answer.rows if row.start < kept.start) if answer else 0,
        lost=named_days(query, lost, None) if lost else "",
        unknown=found.unknown,
        provenance=provenance(answer.plan, query.zone, as_of) if answer else "",
        has_charges=bool(answer and answer.totals.charges),
    )


@prefer_standby
def load_neighbours(selection: CallSelection, call: UsageLog) -> Neighbours | None:
    """Read which calls are before and after one in the list; None where it is not in it, or that takes too long."""
    try:
        with snapshot(PATIENCE):
            spans = _parts(selection).spans
            return read_neighbours(selection.by_day, KINDS[selection.status], spans, call, ORDERS[selection.sort])
    except TimedOut:
        return None


def _parts(selection: CallSelection) -> Parts:
    """Read in which parts of the range there are calls to list; raises TimedOut if not even that can be begun."""
    query, log_from = selection.by_day, read_log_from(selection.organization)
    kept = selection.kept_span(log_from)
    try:
        answer = read([query], seconds=PATIENCE)[query]
    except (QueryError, TimedOut) as error:
        return Parts(kept, log_from, None, ((kept, 0),) if kept else (), str(error))
    return Parts(kept, log_from, answer, tuple(spans_with_calls(answer, KINDS[selection.status], kept)))


def _by_day(calls: Iterable[UsageLog], selection: CallSelection, sums: Mapping[date, Sums]) -> tuple[Day, ...]:
    zone, pricer, calls = selection.organization.time_zone, Pricer(selection.organization), tuple(calls)
    dollars = money.alike([call.cost for call in calls if call.cost is not None], DECIMALS)

    def line(call: UsageLog, *, has_day: bool = False) -> Line:
        cells = tuple(_cell(name, call, dollars) for name in selection.call_columns)
        return _line(call, zone, cells, why_not(call, pricer), has_day=has_day)

    if not ORDERS[selection.sort].is_by_time:
        lines = tuple(line(call, has_day=True) for call in calls)
        return (Day("", "", lines),) if lines else ()
    return tuple(
        Day(
            weekday_words(day),
            _summary(sums.get(day), selection.status),
            tuple(map(line, of_day)),
        )
        for day, of_day in groupby(calls, key=lambda call: days.date_of(call.timestamp, zone))
    )


def _summary(sums: Sums | None, status: str) -> str:
    if sums is None:
        return ""
    if status:
        return formats.plural(KINDS[status].count(sums), CHARGE if status == CHARGE else "call")
    charges = f", {formats.plural(sums.charges, 'charge')}" if sums.charges else ""
    return f"{formats.plural(sums.calls, 'call')}{charges}, {formats.cost(sums)}"


def _cell(name: str, call: UsageLog, dollars: Callable[[Decimal], str]) -> Cell:
    is_charge = call.kind == RowKind.CHARGE
    if name in BY_NAME:
        return Cell(name, getattr(call, BY_NAME[name].column), is_recorded=True)
    if name == "status":
        return Cell(name, call.get_kind_display() if is_charge else call.get_status_display())
    if name == "cost":
        if call.cost is None:
            return Cell(name, formats.NO_PRICE)
        return Cell(name, dollars(call.cost), money.display_exact(call.cost))
    return Cell(name, "–") if is_charge else _number(name, call)


def _number(name: str, call: UsageLog) -> Cell:
    """A number that charges have none of."""
    if name in ("took", "speed"):
        if call.latency_ms is None:
            return Cell(name, "–")
        took = f"{formats.count(call.latency_ms)}{NARROW_SPACE}ms"
        if name == "took" or not call.latency_ms or not call.output_tokens:
            return Cell(name, took if name == "took" else "–", took)
        speed = EXACT.divide(Decimal(1000 * call.output_tokens), Decimal(call.latency_ms))
        return Cell(name, formats.decimal(speed, 1), took)
    parts = {
        "input": (call.input_tokens, f"{formats.count(call.cached_tokens)} of them cached"),
        "cached": (call.cached_tokens, f"of {formats.count(call.input_tokens)} of the input"),
        "output": (call.output_tokens, f"{formats.count(call.reasoning_tokens)} of them reasoning"),
        "reasoning": (call.reasoning_tokens, f"of {formats.count(call.output_tokens)} of the output"),
    }
    number, words = parts[name]
    return Cell(name, formats.count(number), words)


def _line(call: UsageLog, zone: str, cells: tuple[Cell, ...], why: str, *, has_day: bool = False) -> Line:
    local, both = call.timestamp.astimezone(ZoneInfo(zone)), dict.fromkeys((zone, "UTC"))
    moment = ", ".join(local_words(call.timestamp, each) for each in both)
    time = clock(local, seconds=True)
    shown = f"{day_words(local.date())}, {time}" if has_day else time
    return Line(call, shown, moment, cells, why)


def cost_of(cost: Decimal | None) -> str:
    return formats.NO_PRICE if cost is None else money.display(cost)


def local_words(instant: datetime, zone: str) -> str:
    """Write an instant with all digits: as in “2025-07-01 14:00:00.5 CEST”."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{local.replace(tzinfo=None).isoformat(sep=' ')} {abbreviation(local)}"


def part_words(span: Span, zone: str) -> str:
    """Write a part of a range: “1 Jul 2025 13:00 – 14:00 UTC”."""
    start, end = (instant.astimezone(ZoneInfo(zone)) for instant in (span.start, span.end))
    last = clock(end) if start.date() == end.date() else moment_words(end)
    return f"{moment_words(start)} – {last} {abbreviation(end)}"
