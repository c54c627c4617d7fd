"""Pricing recorded calls anew, after prices were added or changed: by the same rules as when they are recorded."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.locks import Lock, take
from aggregates.db.logged_calls import call_of, fields_in_sql
from aggregates.db.snapshot import snapshot
from aggregates.domain.calls import CALL, Call
from aggregates.ingest.auditing import write_change
from aggregates.ingest.correcting import Change, Criteria, calendar_within, condition, kept_within, told_of
from aggregates.ingest.day_locks import Calendar, lock_days, lock_zone, mark_stale
from aggregates.models import Event, FormerCost, Organization, Repricing, UsageLog
from aggregates.models.log import CostSource
from aggregates.pricing import Priced, Pricer

# What is priced anew unless more is asked for.
COMPUTED = (CostSource.NONE, CostSource.TABLE, CostSource.OVERRIDE, CostSource.DISCOUNT)
BATCH = 5_000  # calls in memory at a time
NOTHING = Decimal(0)

# Whoever gives calls another cost has the lock of corrections: between this and the update nobody does.
KEEP = sql.SQL(
    """
    INSERT INTO {kept} (organization_id, repricing_id, call, timestamp, cost, cost_source, new_cost, new_source)
    SELECT log.organization_id, {repricing}, log.id, log.timestamp, log.cost, log.cost_source, new.cost, new.cost_source
    FROM {log} AS log JOIN repriced_call AS new ON log.id = new.id AND log.timestamp = new.timestamp
    WHERE log.organization_id = {organization}
    """
)
Seen = Callable[[int], None]  # is told how many calls more were looked at


@dataclass
class Repriced:
    """Changes by the first day of the month in the organization's time zone, and by model; and the days whose calls
    were left alone, because their sums are kept."""

    changes: dict[tuple[date, str], Change] = field(default_factory=dict)
    kept: set[date] = field(default_factory=set)

    @property
    def total(self) -> Change:
        return sum(self.changes.values(), Change())


@dataclass(frozen=True, slots=True)
class _Changed:
    """A call that gets another cost: where it stands in the log, and on which day of the calendar."""

    number: int
    day: int
    call: Call
    before: Decimal | None
    after: Priced


def preview(
    organization: Organization,
    criteria: Criteria,
    sources: tuple[str, ...] = COMPUTED,
    *,
    pricer: Pricer | None = None,
    seconds: int | None = None,
) -> Repriced:
    """What `reprice` would do, as of now, or with prices that are not set yet; changes nothing.

    Raises TimedOut if a statement takes longer than so many seconds.
    """
    done = Repriced()
    with snapshot(seconds):
        organization.refresh_from_db()
        if calendar := calendar_within(organization, criteria):
            kept = kept_within(organization, calendar)
            found = _changed(organization, criteria, sources, calendar, pricer or Pricer(organization))
            for changed in _but_kept(done, calendar, kept, found):
                _count(done, calendar, changed)
    return done


def reprice(
    organization: Organization,
    criteria: Criteria,
    sources: tuple[str, ...] = COMPUTED,
    *,
    keep_for: Repricing | None = None,
    seen: Seen | None = None,
) -> Repriced:
    """Price the calls whose cost is of these sources, in one transaction, and mark their days.

    Where there is no price a reported cost stays, and any other is forgotten.
    Calls whose cost does not change stay untouched. What the others cost before is kept for undoing, if `keep_for` says
    so. `seen` may raise, to end it.
    """
    done = Repriced()
    earliest: dict[int, datetime] = {}
    with transaction.atomic():
        lock_zone(organization)
        take(Lock.CORRECTIONS, organization.pk % 2**31)  # nobody else changes what stands in the log
        calendar = calendar_within(organization, criteria)
        if not calendar:
            return done
        _make_table()
        kept = kept_within(organization, calendar)
        changes = _changed(organization, criteria, sources, calendar, Pricer(organization), seen)
        found = _but_kept(done, calendar, kept, changes)
        while batch := _some(found):
            _stage(batch)
            for changed in batch:
                _count(done, calendar, changed)
                instant = changed.call.timestamp
                earliest[changed.day] = min(earliest.get(changed.day, instant), instant)
        if earliest:
            touched = {calendar.date(day): instant for day, instant in earliest.items()}
            lock_days(organization, touched.keys())
            _apply(organization, keep_for)
            mark_stale(organization, touched)
            costs = ((month, change.before, change.after) for (month, _), change in done.changes.items())
            after = {**told_of(criteria), "sources": sorted(map(str, sources)), "calls": done.total.calls}
            about = keep_for.pk if keep_for else None
            user = keep_for.created_by if keep_for else None
            write_change(Event.REPRICED, organization, touched, costs, after, about=about, user=user)
    return done


def _changed(
    organization: Organization,
    criteria: Criteria,
    sources: tuple[str, ...],
    calendar: Calendar,
    pricer: Pricer,
    seen: Seen | None = None,
) -> Iterator[_Changed]:
    """Those calls that would get another cost, streaming."""
    statement = sql.SQL(
        "SELECT id, width_bucket(timestamp, {bounds}::timestamptz[]), cost_source, {fields} "
        "FROM {log} WHERE {where} AND cost_source = ANY({sources}) AND kind = {call}"
    ).format(
        bounds=calendar.bounds,
        fields=fields_in_sql(),
        log=sql.Identifier(UsageLog._meta.db_table),
        where=condition(organization, criteria, calendar),
        sources=[str(source) for source in sources],
        call=sql.Literal(CALL),
    )
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        while rows := cursor.fetchmany(BATCH):
            if seen:
                seen(len(rows))
            for number, day, source, *fields in rows:
                call = call_of(fields)
                after = pricer.price(call)
                is_kept = after.cost is None and source == CostSource.REPORTED
                if not is_kept and after != (call.cost, source):
                    yield _Changed(number, day, call, call.cost, after)


def _but_kept(
    done: Repriced, calendar: Calendar, kept: Collection[date], found: Iterator[_Changed]
) -> Iterator[_Changed]:
    """Those that are not of kept days; of the others only the days are noted."""
    for changed in found:
        day = calendar.date(changed.day)
        if day in kept:
            done.kept.add(day)
        else:
            yield changed


def _some(found: Iterator[_Changed]) -> list[_Changed]:
    return [changed for _, changed in zip(range(BATCH), found, strict=False)]


def _count(done: Repriced, calendar: Calendar, changed: _Changed) -> None:
    key = (calendar.date(changed.day).replace(day=1), changed.call.model)
    before, after = changed.before, changed.after.cost
    change = Change(1, before or NOTHING, after or NOTHING, int(before is None), int(after is None))
    done.changes[key] = done.changes.get(key, Change()) + change


def _make_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS repriced_call "
            "(id bigint, timestamp timestamptz, cost numeric, cost_source text) ON COMMIT DELETE ROWS"
        )
        cursor.execute("DELETE FROM repriced_call")


def _stage(batch: list[_Changed]) -> None:
    with connection.cursor() as cursor:
        copying = cursor.copy("COPY repriced_call (id, timestamp, cost, cost_source) FROM STDIN")
        with connection.wrap_database_errors, copying as copy:
            for changed in batch:
                copy.write_row((changed.number, changed.call.timestamp, *changed.after))


def _apply(organization: Organization, keep_for: Repricing | None) -> None:
    log = sql.Identifier(UsageLog._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE repriced_call")
        if keep_for:
            kept = sql.Identifier(FormerCost._meta.db_table)
            keep = KEEP.format(kept=kept, log=log, repricing=keep_for.pk, organization=organization.pk)
            cursor.execute(keep.as_string(cursor.connection))
        cursor.execute(
            sql.SQL(
                "UPDATE {log} AS log SET cost = new.cost, cost_source = new.cost_source "
                "FROM repriced_call AS new WHERE log.organization_id = {organization} "
                "AND log.id = new.id AND log.timestamp = new.timestamp"
            )
            .format(log=log, organization=organization.pk)
            .as_string(cursor.connection)
        )
