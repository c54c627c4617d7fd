"""Correcting what was recorded: deleting calls and charges, or giving calls another cost."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal, localcontext

from django.db import connection, transaction
from django.db.models import Max, Min
from psycopg import sql

from aggregates.db.locks import Lock, take
from aggregates.db.snapshot import snapshot
from aggregates.domain import days
from aggregates.domain.calls import CALL
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.money import EXACT
from aggregates.ingest.auditing import conditions, write_change
from aggregates.ingest.day_locks import Calendar, calendar_of, kept_through, lock_days, lock_zone, mark_stale
from aggregates.models import Event, Organization, UsageDay, UsageLog
from aggregates.models.log import CostSource
from aggregates.pricing.rates import Prices
from aggregates.pricing.rates_in_sql import cost_in_sql

TABLE = UsageLog._meta.db_table


@dataclass(frozen=True)
class Criteria:
    """Which calls: those that meet all that is given, on local days first to last, both included."""

    first: date | None = None
    last: date | None = None
    filters: tuple[tuple[str, str], ...] = ()  # dimension and value
    request_ids: tuple[str, ...] = ()
    status: str | None = None
    cost_source: str | None = None
    kind: str | None = None
    pattern: str = ""  # of models, or of those whose price calls have; `*` stands for any text
    days: tuple[date, ...] = ()  # of these alone


@dataclass(frozen=True)
class Delete:
    """Take the calls out of the log."""


@dataclass(frozen=True)
class Unprice:
    """Forget what the calls cost."""


Correction = Delete | Unprice | Prices


@dataclass(frozen=True, slots=True)
class Change:
    """What a correction does to the calls of a month, and to its charges, which only deleting changes: how many, and
    what they cost before and after, in US dollars."""

    calls: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    unpriced_before: int = 0
    unpriced_after: int = 0
    charges: int = 0

    @property
    def rows(self) -> int:
        return self.calls + self.charges

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
        removed = {calendar.date(number): change.rows for number, _, change in changes if deletes}
        mark_stale(organization, earliest, removed)
        done = _by_month(calendar, changes)
        done.kept = tuple(day for number in found if (day := calendar.date(number)) in kept)
        if earliest:
            _write_audit(organization, criteria, correction, done, earliest)
        return done


def _write_audit(
    organization: Organization, criteria: Criteria, correction: Correction, done: Corrected, days: Collection[date]
) -> None:
    match correction:
        case Delete():
            what = "deleted"
        case Unprice():
            what = "cost forgotten"
        case _:
            what = "priced"
    costs = ((month, change.before, change.after) for month, change in done.months.items())
    total = done.total
    counts = {"calls": total.calls, "charges": total.charges}
    after = {"what": what, **told_of(criteria), **{name: number for name, number in counts.items() if number}}
    write_change(Event.CORRECTED, organization, days, costs, after)


def told_of(criteria: Criteria) -> dict[str, object]:
    """What the audit log tells of which calls were meant."""
    filters = conditions(criteria.filters)
    filters += [f"model={criteria.pattern}"] if criteria.pattern else []
    filters += [f"request_id: {len(criteria.request_ids)} of them"] if criteria.request_ids else []
    equal = {"status": criteria.status, "cost_source": criteria.cost_source, "kind": criteria.kind}
    filters += [f"{name}={value}" for name, value in equal.items() if value]
    told: dict[str, object] = {"from": criteria.first, "to": criteria.last}
    return {name: day for name, day in told.items() if day} | ({"filters": filters} if filters else {})


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
    after, where = _cost_after(correction), condition(organization, criteria, calendar)
    day = sql.SQL("width_bucket(timestamp, {}::timestamptz[])").format(calendar.bounds)
    source = _source_after(correction)
    if apply_to is not None:
        where += sql.SQL(" AND {} = ANY({})").format(day, apply_to)
    if not isinstance(correction, Delete):
        changed = sql.SQL(" AND kind = {} AND (cost, cost_source) IS DISTINCT FROM ({}, {})")
        where += changed.format(CALL, after, source)
    statement = sql.SQL("""
        WITH chosen AS (
            SELECT id, timestamp, kind, cost, {after} AS after, {source} AS source FROM {log} WHERE {where}
        ) {done}
        SELECT {day}, min(timestamp), count(*) FILTER (WHERE kind = {call}), COALESCE(sum(cost), 0),
               COALESCE(sum(after), 0), count(*) FILTER (WHERE cost IS NULL),
               count(*) FILTER (WHERE after IS NULL AND kind = {call}), count(*) FILTER (WHERE kind <> {call})
        FROM chosen GROUP BY 1 ORDER BY 1
    """).format(
        after=after,
        source=source,
        call=CALL,
        log=sql.Identifier(TABLE),
        where=where,
        done=sql.SQL("") if apply_to is None else _done(organization, correction),
        day=day,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        return [(number, earliest, Change(*change)) for number, earliest, *change in cursor.fetchall()]


def _done(organization: Organization, correction: Correction) -> sql.Composed:
    """Compose what changes the calls that are chosen."""
    change = (
        sql.SQL("DELETE FROM {log} AS log USING chosen")
        if isinstance(correction, Delete)
        else sql.SQL("UPDATE {log} AS log SET cost = chosen.after, cost_source = chosen.source FROM chosen")
    )
    these = sql.SQL("log.organization_id = {} AND log.id = chosen.id AND log.timestamp = chosen.timestamp")
    return sql.SQL(", done AS ({} WHERE {})").format(
        change.format(log=sql.Identifier(TABLE)), these.format(organization.pk)
    )


def _cost_after(correction: Correction) -> sql.Composable:
    """Compose a call's cost after the correction."""
    return cost_in_sql(correction.rates) if isinstance(correction, Prices) else sql.SQL("NULL::numeric")


def _source_after(correction: Correction) -> sql.Composable:
    """Compose where a call's cost comes from after the correction."""
    if not isinstance(correction, Prices):
        return sql.Literal(CostSource.NONE.value)
    known = sql.SQL("CASE WHEN ({after}) IS NULL THEN {none} ELSE {priced} END")
    sources = {"none": CostSource.NONE.value, "priced": CostSource.PRICED.value}
    return known.format(after=_cost_after(correction), **sources)


def condition(organization: Organization, criteria: Criteria, calendar: Calendar) -> sql.Composed:
    """Compose which rows of the log are meant."""
    parts = [
        sql.SQL("organization_id = {} AND timestamp >= {} AND timestamp < {}").format(
            organization.pk, calendar.bounds[0], calendar.bounds[-1]
        )
    ]
    equal: list[tuple[str, str | None]] = [(BY_NAME[name].column, value) for name, value in criteria.filters]
    equal += [("status", criteria.status), ("cost_source", criteria.cost_source), ("kind", criteria.kind)]
    parts += [sql.SQL("{} = {}").format(sql.Identifier(name), str(value)) for name, value in equal if value is not None]
    if criteria.request_ids:
        parts.append(sql.SQL("request_id = ANY({})").format([*criteria.request_ids]))
    if criteria.pattern:
        like = re.sub(r"([\\%_])", r"\\\1", criteria.pattern).replace("*", "%")
        parts.append(sql.SQL("(model ILIKE {like} OR price_model ILIKE {like})").format(like=like))
    if criteria.days:
        zone = calendar.zone
        spans = [days.span_of(day, zone) for day in criteria.days]
        within = (sql.SQL("timestamp >= {} AND timestamp < {}").format(span.start, span.end) for span in spans)
        parts.append(sql.SQL("({})").format(sql.SQL(" OR ").join(within)))
    return sql.SQL(" AND ").join(parts)


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
