"""Correcting calls that were recorded: deleting them, or giving them another cost."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Min

from aggregates.db.locks import Lock, take
from aggregates.db.snapshot import snapshot
from aggregates.domain import days
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.money import EXACT
from aggregates.ingest.day_locks import Calendar, calendar_of, kept_through, lock_days, lock_zone, mark_stale
from aggregates.models import Organization, UsageDay
from aggregates.models.log import CostSource

PRICE_PLACES = 6  # US dollars per million tokens with so many decimals make a cost of exactly 12


@dataclass(frozen=True)
class Criteria:
    """Which calls: those that meet all that is given, on local days first to last, both included."""

    first: date | None = None
    last: date | None = None
    filters: tuple[tuple[str, str], ...] = ()  # dimension and value
    request_ids: tuple[str, ...] = ()
    status: str | None = None
    cost_source: str | None = None


@dataclass(frozen=True)
class Delete:
    """Take the calls out of the log."""


@dataclass(frozen=True)
class Unprice:
    """Forget what the calls cost."""


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens, with at most six decimals; `input` is for tokens neither from nor to a cache."""

    input: Decimal = Decimal(0)
    cached: Decimal = Decimal(0)
    cache_write: Decimal = Decimal(0)
    output: Decimal = Decimal(0)


Correction = Delete | Unprice | Prices


@dataclass(frozen=True, slots=True)
class Change:
    """What a correction does to the calls of a month: how many, and what they cost before and after, in US dollars."""

    calls: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    unpriced_before: int = 0
    unpriced_after: int = 0

    def __add__(self, other: "Change") -> "Change":
        with localcontext(EXACT):
            return Change(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


@dataclass
class Corrected:
    """Changes by the first day of the month, in the organization's time zone; and the days whose calls were left alone,
    because their sums are kept."""

    months: dict[date, Change] = field(default_factory=dict)
    kept: tuple[date, ...] = ()

    @property
    def total(self) -> Change:
        return sum(self.months.values(), Change())


def preview(organization: Organization, criteria: Criteria, correction: Correction) -> Corrected:
    """What `correct` would do, as of now; changes nothing."""
    with snapshot():
        organization.refresh_from_db()
        calendar = calendar_within(organization, criteria)
        if not calendar:
            return Corrected()
        kept = kept_within(organization, calendar)
        return _by_month(calendar, _changes(organization, criteria, correction, calendar), kept)


def correct(organization: Organization, criteria: Criteria, correction: Correction) -> Corrected:
    """Correct the calls in one transaction, and mark their days, so that the aggregates follow.

    Calls that are as the correction would have them stay untouched, and so do those of days that the log no longer
    holds, or not wholly.
    """
    with transaction.atomic():
        lock_zone(organization)
        # One after the other: each then tells exactly what it did.
        take(Lock.CORRECTIONS, organization.pk % 2**31)
        calendar = calendar_within(organization, criteria)
        if not calendar:
            return Corrected()
        found = [number for number, *_ in _changes(organization, criteria, correction, calendar)]
        if not found:
            return Corrected()
        lock_days(organization, [calendar.date(number) for number in found])
        kept = kept_within(organization, calendar)
        touched = [number for number in found if calendar.date(number) not in kept]
        # Calls of other days that were recorded in the meantime are left alone.
        changes = _changes(organization, criteria, correction, calendar, apply_to=touched)
        earliest = {calendar.date(number): instant for number, instant, _ in changes}
        deletes = isinstance(correction, Delete)
        removed = {calendar.date(number): change.calls for number, _, change in changes if deletes}
        mark_stale(organization, earliest, removed)
        done = _by_month(calendar, changes)
        done.kept = tuple(day for number in found if (day := calendar.date(number)) in kept)
        return done


def calendar_within(organization: Organization, criteria: Criteria) -> Calendar | None:
    """The midnights around the days that are meant and kept; None if there are none."""
    kept = UsageDay.objects.filter(organization=organization, date__gte=organization.log_from or date.min)
    known = kept.aggregate(first=Min("date"), last=Max("date"))
    if known["first"] is None:
        return None
    first = max(known["first"], criteria.first or date.min)
    last = min(known["last"], criteria.last or date.max)
    zone = organization.time_zone
    return calendar_of(zone, days.midnight(first, zone), days.midnight(last, zone)) if first <= last else None


def kept_within(organization: Organization, calendar: Calendar) -> Collection[date]:
    """The days of the calendar whose sums are kept: corrections leave their calls alone."""
    return kept_through(organization, calendar.date(1), calendar.date(len(calendar.bounds))).keys()


def _changes(
    organization: Organization,
    criteria: Criteria,
    correction: Correction,
    calendar: Calendar,
    apply_to: list[int] | None = None,
) -> list[tuple[int, datetime, Change]]:
    """What changes, by number of the day in the calendar, with its earliest call.

    With `apply_to` it is done, on days of these numbers only.
    """
    after, parameters = _cost_after(correction)
    where, values = condition(organization, criteria, calendar)
    source = CostSource.PRICED if isinstance(correction, Prices) else CostSource.NONE
    if apply_to is not None:
        where += " AND width_bucket(timestamp, %s::timestamptz[]) = ANY(%s)"
        values += [calendar.bounds, apply_to]
    if not isinstance(correction, Delete):
        where += f" AND (cost, cost_source) IS DISTINCT FROM ({after}, %s)"
        values += [*parameters, source.value]
    statement = f"WITH chosen AS (SELECT id, timestamp, cost, {after} AS after FROM aggregates_usagelog WHERE {where})"
    parameters = [*parameters, *values]
    if apply_to is not None:
        this_call = "log.organization_id = %s AND log.id = chosen.id AND log.timestamp = chosen.timestamp"
        if isinstance(correction, Delete):
            statement += f", done AS (DELETE FROM aggregates_usagelog AS log USING chosen WHERE {this_call})"
            parameters += [organization.pk]
        else:
            statement += (
                ", done AS (UPDATE aggregates_usagelog AS log SET cost = after, cost_source = %s "
                f"FROM chosen WHERE {this_call})"
            )
            parameters += [source.value, organization.pk]
    statement += """
        SELECT width_bucket(timestamp, %s::timestamptz[]), min(timestamp), count(*),
               COALESCE(sum(cost), 0), COALESCE(sum(after), 0),
               count(*) FILTER (WHERE cost IS NULL), count(*) FILTER (WHERE after IS NULL)
        FROM chosen GROUP BY 1 ORDER BY 1
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, calendar.bounds])
        return [(number, earliest, Change(*change)) for number, earliest, *change in cursor.fetchall()]


def _cost_after(correction: Correction) -> tuple[str, list[Any]]:
    """SQL of a call's cost after the correction."""
    if not isinstance(correction, Prices):
        return "NULL::numeric", []
    prices = [correction.input, correction.cached, correction.cache_write, correction.output]
    return (
        # Multiplied, not divided: the product is exact, and never has more than 12 decimals.
        "((input_tokens - cached_tokens - cache_write_tokens) * %s::numeric + cached_tokens * %s::numeric "
        "+ cache_write_tokens * %s::numeric + output_tokens * %s::numeric) * 0.000001",
        prices,
    )


def condition(organization: Organization, criteria: Criteria, calendar: Calendar) -> tuple[str, list[Any]]:
    where = "organization_id = %s AND timestamp >= %s AND timestamp < %s"
    values: list[Any] = [organization.pk, calendar.bounds[0], calendar.bounds[-1]]
    for name, value in criteria.filters:
        where += f" AND {BY_NAME[name].column} = %s"
        values.append(value)
    for column, wanted in (("status", criteria.status), ("cost_source", criteria.cost_source)):
        if wanted is not None:
            where += f" AND {column} = %s"
            values.append(wanted)
    if criteria.request_ids:
        where += " AND request_id = ANY(%s)"
        values.append([*criteria.request_ids])
    return where, values


def _by_month(
    calendar: Calendar, changes: list[tuple[int, datetime, Change]], kept: Collection[date] = ()
) -> Corrected:
    corrected = Corrected()
    for number, _, change in changes:
        day = calendar.date(number)
        if day in kept:
            corrected.kept += (day,)
            continue
        month = day.replace(day=1)
        corrected.months[month] = corrected.months.get(month, Change()) + change
    return corrected
