"""The line on every page that says where its numbers come from, and as of when."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from aggregates.domain import days
from aggregates.domain.formats import plural
from aggregates.domain.wallclock import clock, when
from aggregates.query.answer import Answer
from aggregates.query.planner import Plan

# Within a scope: which days are read where, others' usage decides.
IN_SIGHT = "From sums of days and hours, and live from the log."


def provenance(plan: Plan, zone: str, as_of: datetime) -> str:
    """Say in natural words which days were read where, and what is not known of some."""
    line = f"{IN_SIGHT} Only {plan.scope.words}." if plan.scope else _sources(plan, zone, as_of)
    if not plan.unknown:
        return line
    listed = ", ".join(name.replace("_", " ") for name in plan.unknown)
    return f"{line} Not known for a part of these days: {listed}."


def _sources(plan: Plan, zone: str, as_of: datetime) -> str:
    today = days.date_of(as_of, zone)
    if plan.hours:
        return _with_hours(plan, zone, as_of, today)
    if not plan.aggregate_days and not plan.empty_days:
        return "Live from the log."
    return _sentence(_parts(plan, zone, as_of, today))


def _with_hours(plan: Plan, zone: str, as_of: datetime, today: date) -> str:
    """Say which days have their hours read from sums."""
    rolled = f", rolled up {when(plan.rolled_at, zone, as_of)}" if plan.rolled_at else ""
    hours = f"{_named_days([part.day for part in plan.hours], today)} from hourly sums{rolled}"
    return _sentence([hours, *_parts(replace(plan, rolled_at=None), zone, as_of, today)])


def _sentence(parts: Sequence[str]) -> str:
    line = "; ".join(parts)
    return f"{line[0].upper()}{line[1:]}."


def _parts(plan: Plan, zone: str, as_of: datetime, today: date) -> list[str]:
    parts = []
    if plan.aggregate_days and (plan.rolled_at or plan.hours):
        counted = plural(len(plan.aggregate_days), "day")
        rolled = f", rolled up {when(plan.rolled_at, zone, as_of)}" if plan.rolled_at else ""
        parts.append(f"{counted} from daily aggregates{rolled}")
    if plan.log_days:
        parts.append(f"{_named_days(plan.log_days, today)} live from the log{_head(plan, today, zone)}")
    if plan.empty_days:
        parts.append(f"{plural(len(plan.empty_days), 'day')} without usage")
    return parts


def _named_days(read: Iterable[date], today: date) -> str:
    """Count days: “today”, “3 days”, “3 days and today”."""
    others = sum(1 for day in read if day != today)
    words = ([plural(others, "day")] if others else []) + (["today"] if today in read else [])
    return " and ".join(words)


def _head(plan: Plan, today: date, zone: str) -> str:
    """Say from when on today is read from the log, if its first part is read from the aggregates."""
    starts = (span.start.astimezone(ZoneInfo(zone)) for span in plan.log_spans)
    rest = next((start for start in starts if start.date() == today), None)
    if not rest or today not in (*plan.head_days, *(part.day for part in plan.hours)):
        return ""
    return f"{' ' if plan.log_days == (today,) else ', today '}since {clock(rest)}"


def reads_more_of_log(main: Answer, others: Iterable[Answer]) -> bool:
    """Say whether any other answer about the same span had to read more of the log; within a scope nobody says."""
    return not main.plan.scope and any(
        set(other.plan.log_days) > set(main.plan.log_days) for other in others if other.query.span == main.query.span
    )
