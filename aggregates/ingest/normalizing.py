"""Names of recorded calls as they are written today: providers and operations by their one name, and prices by these.

It goes day by day, so that no transaction holds more than a day; what was cut off is run again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from django.db import connection, transaction
from psycopg import sql

from aggregates.db.locks import Lock, take
from aggregates.db.logged_calls import call_of, fields_in_sql
from aggregates.db.snapshot import snapshot
from aggregates.domain import days
from aggregates.domain.calls import CALL, Call
from aggregates.domain.providers import provider_name
from aggregates.ingest.auditing import write_change
from aggregates.ingest.correcting import Change, Criteria, calendar_within, condition, kept_within
from aggregates.ingest.day_locks import Calendar, lock_days, lock_zone, mark_stale
from aggregates.ingest.operations import COMPLETION, operation_name
from aggregates.models import Event, Organization, UsageLog
from aggregates.models.log import CostSource
from aggregates.pricing import Priced, Pricer

COMPUTED = (CostSource.NONE.value, CostSource.TABLE.value, CostSource.OVERRIDE.value, CostSource.DISCOUNT.value)
BATCH = 5_000  # calls in memory at a time
NOTHING = Decimal(0)
LOG = sql.Identifier(UsageLog._meta.db_table)
STAGED = sql.SQL(
    "CREATE TEMPORARY TABLE IF NOT EXISTS normalized_call "
    "(id bigint, timestamp timestamptz, provider text, operation text, cost numeric, cost_source text) "
    "ON COMMIT DELETE ROWS"
)
UPDATE = sql.SQL("""
    UPDATE {log} AS log SET provider = new.provider, operation = new.operation, cost = new.cost,
        cost_source = new.cost_source
    FROM normalized_call AS new
    WHERE log.organization_id = %s AND log.id = new.id AND log.timestamp = new.timestamp
        AND log.timestamp >= %s AND log.timestamp < %s
""").format(log=LOG)

Kept = Collection[tuple[str, str]]  # dimension and value that stay as they are
Told = Callable[[date], None]


class Renamed(NamedTuple):
    """A dimension's value, and what it is called today."""

    dimension: str
    before: str
    after: str


class Normalized(NamedTuple):
    """A call that changes: where it stands in the log, and what it is from then on."""

    number: int
    day: int
    call: Call
    source: str
    provider: str
    operation: str
    after: Priced

    @property
    def renamed(self) -> Iterator[Renamed]:
        for name, after in (("provider", self.provider), ("operation", self.operation)):
            if (before := getattr(self.call, name)) != after:
                yield Renamed(name, before, after)


@dataclass
class Outcome:
    """Changes by the first day of the month in the organization's time zone; calls by the name that changes; and the
    days whose calls were left alone, because their sums are kept."""

    months: dict[date, Change] = field(default_factory=dict)
    names: Counter[Renamed] = field(default_factory=Counter)
    kept: set[date] = field(default_factory=set)

    @property
    def total(self) -> Change:
        return sum(self.months.values(), Change())

    def count(self, day: date, changed: Normalized) -> None:
        before, after = changed.call.cost, changed.after.cost
        is_call = changed.call.kind == CALL
        change = Change(
            calls=int(is_call),
            before=before or NOTHING,
            after=after or NOTHING,
            unpriced_before=int(is_call and before is None),
            unpriced_after=int(is_call and after is None),
            charges=int(not is_call),
        )
        month = day.replace(day=1)
        self.months[month] = self.months.get(month, Change()) + change
        self.names.update(changed.renamed)


def preview(organization: Organization, criteria: Criteria, keep: Kept = ()) -> Outcome:
    """What `normalize` would do, as of now; changes nothing."""
    done = Outcome()
    with snapshot():
        organization.refresh_from_db()
        if calendar := calendar_within(organization, criteria):
            for day, changed in _of_days_in_log(done, organization, criteria, calendar, keep):
                done.count(day, changed)
    return done


def normalize(
    organization: Organization, criteria: Criteria, keep: Kept = (), told: Told = lambda day: None
) -> Outcome:
    """Give calls the names and prices of today, each day in a transaction of its own, and mark the day.

    A reported cost, and one that a correction gave, stays; calls that are as they should be stay untouched.
    """
    done = Outcome()
    organization.refresh_from_db()
    calendar = calendar_within(organization, criteria)
    for start, end in zip(calendar.bounds, calendar.bounds[1:], strict=False) if calendar else ():
        day = days.date_of(start, organization.time_zone)
        if UsageLog.objects.filter(organization=organization, timestamp__gte=start, timestamp__lt=end).exists():
            _normalize_day(done, organization, day, keep)
        told(day)
    return done


def _normalize_day(done: Outcome, organization: Organization, day: date, keep: Kept) -> None:
    of_day, criteria = Outcome(), Criteria(first=day, last=day)
    with transaction.atomic():
        lock_zone(organization)
        take(Lock.CORRECTIONS, organization.pk % 2**31)  # nobody else changes what stands in the log
        calendar = calendar_within(organization, criteria)
        if not calendar:
            return
        earliest = _stage(of_day, _of_days_in_log(of_day, organization, criteria, calendar, keep))
        if earliest:
            lock_days(organization, earliest.keys())
            _apply(organization, calendar)
            mark_stale(organization, earliest)
            costs = ((month, change.before, change.after) for month, change in of_day.months.items())
            write_change(Event.NORMALIZED, organization, earliest, costs, {"calls": of_day.total.calls})
    done.kept |= of_day.kept
    done.names += of_day.names
    for month, change in of_day.months.items():
        done.months[month] = done.months.get(month, Change()) + change


def _stage(done: Outcome, found: Iterator[tuple[date, Normalized]]) -> dict[date, datetime]:
    """Copy the calls that change into a temporary table; gives the earliest of each day."""
    earliest: dict[date, datetime] = {}
    with connection.cursor() as cursor:
        cursor.execute(STAGED.as_string())
        cursor.execute("DELETE FROM normalized_call")
    while batch := [each for _, each in zip(range(BATCH), found, strict=False)]:
        with connection.cursor() as cursor:
            copying = cursor.copy("COPY normalized_call FROM STDIN")
            with connection.wrap_database_errors, copying as copy:
                for day, changed in batch:
                    instant = changed.call.timestamp
                    copy.write_row((changed.number, instant, changed.provider, changed.operation, *changed.after))
                    earliest[day] = min(earliest.get(day, instant), instant)
                    done.count(day, changed)
    return earliest


def _apply(organization: Organization, calendar: Calendar) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE normalized_call")
        cursor.execute(UPDATE.as_string(), [organization.pk, calendar.bounds[0], calendar.bounds[-1]])


def _of_days_in_log(
    done: Outcome, organization: Organization, criteria: Criteria, calendar: Calendar, keep: Kept
) -> Iterator[tuple[date, Normalized]]:
    """The calls that change, but for those of kept days, which are noted."""
    kept = kept_within(organization, calendar)
    for changed in _changed(organization, criteria, calendar, keep):
        day = calendar.date(changed.day)
        if day in kept:
            done.kept.add(day)
        else:
            yield day, changed


def _changed(organization: Organization, criteria: Criteria, calendar: Calendar, keep: Kept) -> Iterator[Normalized]:
    """Those calls that are named or, without a cost or under another provider, priced another way today."""
    where = condition(organization, criteria, calendar)
    providers, operations = (_spellings(name, where, keep) for name in ("provider", "operation"))
    pricer = Pricer(organization)
    statement = sql.SQL(
        "SELECT id, width_bucket(timestamp, {bounds}::timestamptz[]), cost_source, {fields} FROM {log} "
        "WHERE {where} AND (cost_source = {none} OR provider = ANY({providers}) OR operation = ANY({operations}))"
    ).format(
        bounds=calendar.bounds,
        fields=fields_in_sql(),
        log=LOG,
        where=where,
        none=CostSource.NONE.value,
        providers=list(providers),
        operations=list(operations),
    )
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        while rows := cursor.fetchmany(BATCH):
            for number, day, source, *values in rows:
                call = call_of(values)
                provider = providers.get(call.provider, call.provider)
                operation = operations.get(call.operation, call.operation)
                named = call._replace(provider=provider, operation=operation)
                is_priced_anew = source == CostSource.NONE or (source in COMPUTED and provider != call.provider)
                after = pricer.price(named) if is_priced_anew else Priced(call.cost, source)
                if named != call or after != (call.cost, source):
                    yield Normalized(number, day, call, source, provider, operation, after)


def _spellings(dimension: str, where: sql.Composed, keep: Kept) -> Mapping[str, str]:
    """The values of a dimension that are called another way today, with what they are called."""
    statement = sql.SQL("SELECT DISTINCT {name} FROM {log} WHERE {where}").format(
        name=sql.Identifier(dimension), log=LOG, where=where
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        values = [value for (value,) in cursor.fetchall()]
    name_of = provider_name if dimension == "provider" else _operation_name
    return {value: after for value in values if (dimension, value) not in keep and (after := name_of(value)) != value}


@lru_cache(maxsize=10_000)
def _operation_name(text: str) -> str:
    """The one name of an operation; “completion” stays, as clients mean two things by it and the log does not tell
    which client it was."""
    return text if text.strip().lower() == COMPLETION else operation_name(text)
