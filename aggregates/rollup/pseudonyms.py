"""Replacing a user's name by a pseudonym, as privacy laws ask for, wherever it stands; no sum changes.

A day's calls and its sums change in one commit, apart from whoever rolls that date up: so what was equal stays equal,
and days whose calls are no longer in the log change in the same way. What was cut off is run again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from secrets import token_hex

from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from psycopg.sql import SQL, Composed, Identifier, Literal

from aggregates.db import audit
from aggregates.db.locks import Lock, day_number, take, take_shared
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import columns, listed, table, text
from aggregates.domain.dimensions import GRAINS, Grain
from aggregates.domain.periods import Period
from aggregates.ingest.day_locks import lock_zone
from aggregates.models import (
    BreakdownChunk,
    Event,
    LatencyChunk,
    Organization,
    Pseudonym,
    UsageDay,
    UsageLog,
    UsagePeriod,
)
from aggregates.rollup import chunks, hours, period_sums

NAMES = ("user_id", "subject_id")
# Statements are given no parameters: a name may hold a %.
IN_LABELS = SQL("jsonb_path_exists(labels, '$.* ? (@ == $name)', jsonb_build_object('name', {name}::text))")
ROWS = SQL("""
    organization_id = {organization} AND timestamp >= {start} AND timestamp < {end}
    AND ({name} IN (user_id, subject_id) OR {in_labels})
""")
RENAMED_LABELS = SQL("""
    CASE WHEN {in_labels} THEN (
        SELECT jsonb_object_agg(key, CASE WHEN value = to_jsonb({name}::text) THEN to_jsonb({new}::text) ELSE value END)
        FROM jsonb_each(labels)
    ) ELSE labels END
""")
RENAMED = SQL("CASE WHEN {column} = {name} THEN {new} ELSE {column} END")


@dataclass
class Replaced:
    """How many calls and charges changed, by the first day of the month, and days of whose calls only sums are left."""

    months: dict[date, int] = field(default_factory=dict)
    kept: set[date] = field(default_factory=set)

    @property
    def total(self) -> int:
        return sum(self.months.values())

    def add(self, day: date, rows: int, *, in_sums: bool, is_kept: bool) -> None:
        month = day.replace(day=1)
        if rows:
            self.months[month] = self.months.get(month, 0) + rows
        if in_sums and is_kept:
            self.kept.add(day)


def pseudonym_of(organization: Organization, name: str) -> str:
    """Give the pseudonym that stands for the name from now on: a random one, and the same the next time."""
    hashed = salted_hmac(f"pseudonym: {organization.pk}", name, algorithm="sha256").hexdigest()
    made = {"pseudonym": f"user-{token_hex(8)}"}
    with transaction.atomic():
        found, _ = Pseudonym.objects.get_or_create(organization=organization, name_hash=hashed, defaults=made)
        audit.write(Event.NAME_REPLACED, organization, about=found.pk, after={"pseudonym": found.pseudonym})
    return found.pseudonym


def preview(organization: Organization, name: str) -> Replaced:
    """Count what `replace` would change in the log and its sums, as of now; changes nothing."""
    done = Replaced()
    with snapshot():
        for day in UsageDay.objects.filter(organization=organization).order_by("date"):
            statement = SQL("SELECT count(*) FROM {log} WHERE {rows}").format(
                log=table(UsageLog), rows=_rows(day, name)
            )
            in_sums = bool(_grains_with(organization, name, day.date))
            done.add(day.date, _number(statement), in_sums=in_sums, is_kept=day.kept_at is not None)
    return done


def replace(
    organization: Organization, name: str, new: str, on_day: Callable[[date], None] = lambda day: None
) -> Replaced:
    """Replace the name in the log and in the sums of days, each day in a transaction of its own.

    Sums of weeks and months with the name go: the next roll-up makes them again of their days.
    """
    done = Replaced()
    for day in list(UsageDay.objects.filter(organization=organization).order_by("date").values_list("date", flat=True)):
        with transaction.atomic():
            take_shared(Lock.ZONES)
            take(Lock.ROLL, day_number(day))  # before the log is held, as who drops a month does
            lock_zone(organization)
            take(Lock.CORRECTIONS, organization.pk % 2**31)
            known = UsageDay.objects.filter(organization=organization, date=day).first()
            if known is None:  # its zone has changed since
                continue
            rows = _rename_rows(known, name, new)
            grains = _grains_with(organization, name, day)
            if grains:
                period_sums.invalidate(day, [organization.pk])
            for grain in grains:
                _rename_sums(organization, day, grain, name, new)
            if rows or grains:
                hours.forget(day, [organization.pk])  # the next repair makes them again
        done.add(day, rows, in_sums=bool(grains), is_kept=known.kept_at is not None)
        on_day(day)
    _delete_periods(organization, name)
    for day in hours.dates_with(organization, name):  # of days that are not known any more
        with transaction.atomic():
            take(Lock.ROLL, day_number(day))
            hours.forget(day, [organization.pk])
    return done


def _rows(day: UsageDay, name: str) -> Composed:
    """Compose which calls of the day hold the name: as who made them, whom they were about, or a label's text."""
    return ROWS.format(
        organization=day.organization_id,
        start=Literal(day.starts_at),
        end=Literal(day.ends_at),
        name=Literal(name),
        in_labels=IN_LABELS.format(name=Literal(name)),
    )


def _rename_rows(day: UsageDay, name: str, new: str) -> int:
    names = {"name": Literal(name), "new": Literal(new)}
    renamed = [
        SQL("{0} = {1}").format(Identifier(column), RENAMED.format(column=Identifier(column), **names))
        for column in NAMES
    ]
    labels = RENAMED_LABELS.format(**names, in_labels=IN_LABELS.format(name=Literal(name)))
    statement = SQL("UPDATE {log} SET {renamed}, labels = {labels} WHERE {rows}").format(
        log=table(UsageLog), renamed=listed(renamed), labels=labels, rows=_rows(day, name)
    )
    return _execute(statement)


def _grains() -> list[Grain]:
    """The grains by which sums may be kept, those of versions before included, that tell users or subjects."""
    every = [Grain(dimensions) for grain in GRAINS for dimensions in (grain.dimensions, *grain.older)]
    return [grain for grain in every if {"user", "subject"} & {*grain.dimensions}]


def _holds(name: str) -> Composed:
    return SQL("({name} = ANY(user_id) OR {name} = ANY(subject_id))").format(name=Literal(name))


def _grains_with(organization: Organization, name: str, day: date) -> list[Grain]:
    """The grains of the day's sums that hold the name."""
    statement = SQL(
        "SELECT DISTINCT grain FROM {table} WHERE organization_id = {organization} AND unit = 'day' AND first = {day} "
        "AND {holds}"
    ).format(table=table(BreakdownChunk), organization=organization.pk, day=Literal(day), holds=_holds(name))
    with connection.cursor() as cursor:
        cursor.execute(text(statement))
        found = {name for (name,) in cursor.fetchall()}
    return [grain for grain in _grains() if grain.name in found]


def _rename_sums(organization: Organization, day: date, grain: Grain, name: str, new: str) -> None:
    """Write the day's groups of a grain anew; those that are then the same are added up."""
    renamed = [
        SQL("{} AS {}").format(
            RENAMED.format(column=Identifier(column), name=Literal(name), new=Literal(new)), Identifier(column)
        )
        if column in NAMES
        else Identifier(column)
        for column in grain.columns
    ]
    groups = SQL("""
        SELECT organization_id, unit, first, {columns}, {sums}
        FROM (SELECT organization_id, unit, first, {renamed}, {each} FROM ({gone}) AS was) AS renamed
        GROUP BY organization_id, unit, first, {columns}
    """).format(
        columns=columns(grain.columns),
        sums=chunks.added_up(),
        renamed=listed(renamed),
        each=columns(chunks.SUMS),
        gone=chunks.selection(grain, SQL("gone")),
    )
    statement = SQL("""
        WITH gone AS (
            DELETE FROM {table} WHERE organization_id = {organization} AND unit = 'day' AND first = {day}
            AND grain = {grain} RETURNING *
        ) {insertion}
    """).format(
        table=table(BreakdownChunk),
        organization=organization.pk,
        day=Literal(day),
        grain=Literal(grain.name),
        insertion=chunks.insertion(grain, groups),
    )
    _execute(statement)


def _delete_periods(organization: Organization, name: str) -> None:
    statement = SQL(
        "SELECT DISTINCT unit, first FROM {table} WHERE organization_id = {organization} AND unit <> 'day' AND {holds}"
    ).format(table=table(BreakdownChunk), organization=organization.pk, holds=_holds(name))
    with connection.cursor() as cursor:
        cursor.execute(text(statement))
        found = [Period(*period) for period in cursor.fetchall()]
    for period in found:
        with transaction.atomic():
            take(Lock.PERIOD, period.number)
            for model in (UsagePeriod, BreakdownChunk, LatencyChunk):
                model._default_manager.filter(organization=organization, unit=period.unit, first=period.first).delete()


def _execute(statement: Composed) -> int:
    with connection.cursor() as cursor:
        cursor.execute(text(statement))
        rows: int = cursor.rowcount
        return rows


def _number(statement: Composed) -> int:
    with connection.cursor() as cursor:
        cursor.execute(text(statement))
        number: int = cursor.fetchone()[0]
        return number
