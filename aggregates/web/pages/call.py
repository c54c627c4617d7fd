"""One call or charge, every field of it, in words."""

from dataclasses import dataclass, replace

from aggregates.db.logged_calls import logged_call
from aggregates.domain import days, formats, money
from aggregates.domain.calls import CHARGE
from aggregates.domain.dimensions import DIMENSIONS, Dimension
from aggregates.domain.ranges import of_days
from aggregates.domain.units import BY_NAME
from aggregates.models import UsageLog
from aggregates.models.log import CostSource, RowKind
from aggregates.pricing import Pricer
from aggregates.query.addresses import query_string
from aggregates.query.selection import CallSelection
from aggregates.web.pages.calls import cost_of, local_words
from aggregates.web.pages.unpriced import why_not


@dataclass(frozen=True, slots=True)
class Detail:
    """`dimension` is what the list can be filtered by, to this call's `value`; what is recorded is a text of others.
    `link` leads to the part of the list that has the same, which `meaning` says."""

    label: str
    text: str
    note: str = ""
    dimension: str = ""
    value: str = ""
    is_recorded: bool = False
    link: str = ""
    meaning: str = ""
    of_price: bool = False  # whether the note says why there is no price


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    details: tuple[Detail, ...]


def sections_of(call: UsageLog, selection: CallSelection) -> tuple[Section, ...]:
    """Describe a call or charge; times are on its organization's wall clock, and in UTC. `selection` is the list from
    which it was opened: links lead to parts of that."""
    zone = selection.organization.time_zone
    what = Section("What it was", (*_times(call, selection), *(_dimension(each, call) for each in DIMENSIONS)))
    sections = [what, *([] if call.kind == RowKind.CHARGE else [_tokens(call)])]
    sections += [Section("What has a price of its own", _units(call))] if call.units else []
    sections += [_cost(call, selection)]
    sections += [Section("Labels", _labels(call))] if call.labels else []
    return (*sections, _recording(call, zone))


def _tokens(call: UsageLog) -> Section:
    hit = f"{formats.of_hundred(call.cache_hit_rate * 100, 2)} of the input" if call.input_tokens else ""
    return Section(
        "Tokens",
        (
            Detail("Input", formats.count(call.input_tokens), "cached and written to a cache included"),
            Detail("Cached", formats.count(call.cached_tokens), hit),
            Detail("Written to a cache", formats.count(call.cache_write_tokens)),
            Detail("of these for an hour", formats.count(call.cache_write_1h_tokens)),
            Detail("Output", formats.count(call.output_tokens), "reasoning included"),
            Detail("Reasoning", formats.count(call.reasoning_tokens)),
        ),
    )


def _cost(call: UsageLog, selection: CallSelection) -> Section:
    unpriced = "" if call.cost is not None else _link(replace(selection, status="unpriced"))
    exactly = "" if call.cost is None else f"exactly {money.display_exact(call.cost)}"
    pricer = Pricer(call.organization)
    why, source = why_not(call, pricer), call.get_cost_source_display()
    return Section(
        "What it cost",
        (
            Detail("Cost", cost_of(call.cost), exactly, link=unpriced, meaning="The calls without a price"),
            Detail("Where the cost is from", source, why or _discount(call, pricer), of_price=bool(why)),
        ),
    )


def _discount(call: UsageLog, pricer: Pricer) -> str:
    """Say what is taken off the published price, as discounts are now; "" where the cost has none."""
    percent = pricer.percent_off(logged_call(call)) if call.cost_source == CostSource.DISCOUNT else None
    return f"{formats.exact_percent(percent)} less" if percent else ""


def _recording(call: UsageLog, zone: str) -> Section:
    return Section(
        "How it was recorded",
        (
            Detail("Request id", call.request_id, is_recorded=True),
            Detail("Received", local_words(call.received_at, zone), local_words(call.received_at, "UTC")),
            Detail("Span around it", call.parent_span or "–", is_recorded=bool(call.parent_span)),
            Detail("Provisional", "yes: the vendor's own report replaces it" if call.provisional else "no"),
            Detail("Number in the log", str(call.pk)),
        ),
    )


def _times(call: UsageLog, selection: CallSelection) -> tuple[Detail, ...]:
    zone = selection.organization.time_zone
    day = days.date_of(call.timestamp, zone)
    of_day = _link(replace(selection, range=of_days("custom", day, day, zone)))
    at = Detail(
        "Time", local_words(call.timestamp, zone), local_words(call.timestamp, "UTC"), link=of_day, meaning="This day"
    )
    alike = _link(replace(selection, status=CHARGE if call.kind == RowKind.CHARGE else call.status))
    if call.kind == RowKind.CHARGE:
        return at, Detail("Kind", "Charge", "adds its cost, and counts as no call", link=alike, meaning="The charges")
    took = "–" if call.latency_ms is None else f"{formats.count(call.latency_ms)} ms"
    status = Detail("Status", call.get_status_display(), link=alike, meaning="The calls with this status")
    return at, status, Detail("Took", took)


def _link(selection: CallSelection) -> str:
    """Write the URL query of a list, of its whole range."""
    return query_string(replace(selection, part=None)) or "?"


def _dimension(dimension: Dimension, call: UsageLog) -> Detail:
    value = getattr(call, dimension.column)
    return Detail(dimension.name.capitalize(), value, "", dimension.name, value, is_recorded=True)


def _units(call: UsageLog) -> tuple[Detail, ...]:
    return tuple(
        Detail(BY_NAME[name].words.capitalize(), f"{quantity:,}")
        if name in BY_NAME
        else Detail(name, f"{quantity:,}", is_recorded=True)
        for name, quantity in (call.units or {}).items()
    )


def _labels(call: UsageLog) -> tuple[Detail, ...]:
    return tuple(Detail(name, text, is_recorded=True) for name, text in sorted((call.labels or {}).items()))
