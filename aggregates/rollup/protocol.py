"""How a day is rolled up: seal it through an instant, sum its log up to there into the aggregates, delete the marks
that were seen before summing.

Exact because: a writer that took the day's lock before the seal committed before the roll-up began; a later one leaves
a mark in the same commit as what it changed before the sealed instant; a mark is deleted only if it was read before the
log was. So in any snapshot the aggregates of a day without marks equal its log from its start to `rolled_through`.

A day that is over is sealed through its end. One that is open can be sealed through a moment ago, and again later: then
only what lies between is summed, and added.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction

from aggregates.db import clock
from aggregates.db.locks import Busy, Lock, day_number, take, take_shared, waiting_at_most
from aggregates.domain.days import Span
from aggregates.models import Organization
from aggregates.rollup import day_sums, period_sums

SEAL_TIMEOUT = "3s"  # how long sealing may hold up those who record calls of that day
OPEN_SEAL_TIMEOUT = "300ms"  # the same for a day that is open: it is soon tried again
OPEN_LAG = timedelta(minutes=15)  # an open day is sealed this far behind now: most calls are recorded sooner than that
Ids = Collection[int]


@dataclass(slots=True)
class Summary:
    """What a run of rolling up did.

    `days` were rolled through their end, `open_days` up to a moment ago, both by organization; `rows` were written.
    `busy`: dates that could not be sealed, because somebody was recording for long.
    """

    days: int = 0
    open_days: int = 0
    rows: int = 0
    busy: list[date] = field(default_factory=list)

    def add(self, other: "Summary") -> None:
        self.days += other.days
        self.open_days += other.open_days
        self.rows += other.rows
        self.busy += other.busy


def roll_up(
    *,
    only: Ids | None = None,
    dates: Collection[date] | None = None,
    force: bool = False,
    open_days: bool = False,
    on_day: Callable[[date], None] = lambda day: None,
    on_error: Callable[[date, Exception], None] | None = None,
) -> Summary:
    """Roll up every closed day that is not clean, oldest first, and with `force` the clean ones too.

    With `open_days` also the days that are not over, up to OPEN_LAG ago. `only` keeps it to these organizations,
    `dates` to these days. Every date is sealed and rolled for all its organizations at once, in transactions of its
    own, so whatever interrupts it, the days before stay done; then the weeks and months that are over. An error ends
    the run, unless `on_error` takes it, with the date or the period's first; then the later ones have their turn.
    """
    organizations = list(Organization.objects.values_list("pk", flat=True)) if only is None else list(only)
    summary = Summary()
    for day in _pending(organizations, dates, force, open_days):
        try:
            rolled = roll(day, organizations, force=force) if seal(day, organizations, open_days=open_days) else None
        except Exception as error:
            if on_error is None:
                raise
            on_error(day, error)
            continue
        if rolled is None:
            summary.busy.append(day)
            continue
        summary.add(rolled)
        on_day(day)
    for period in period_sums.missing(organizations):
        try:
            period_sums.add_up(period, organizations)
        except Exception as error:
            if on_error is None:
                raise
            on_error(period.first, error)
    return summary


def _pending(organizations: Ids, dates: Collection[date] | None, force: bool, open_days: bool) -> list[date]:
    """The dates with work, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT date FROM aggregates_usageday AS day
            WHERE organization_id = ANY(%(organizations)s)
              AND (rolled_through IS NULL OR rolled_through < ends_at OR %(force)s OR EXISTS (
                SELECT FROM aggregates_staleday AS mark
                WHERE mark.organization_id = day.organization_id AND mark.date = day.date))
              AND (ends_at <= clock_timestamp() OR %(open_days)s) AND {day_sums.IN_LOG}
            ORDER BY date
            """,
            {"organizations": list(organizations), "force": force, "open_days": open_days},
        )
        return [day for (day,) in cursor.fetchall() if dates is None or day in dates]


def seal(day: date, organizations: Ids, *, open_days: bool = False) -> bool:
    """Seal the day through its end where it is over, and with `open_days` up to OPEN_LAG ago where it is open.

    Waits until those who are recording calls of that date have committed; False if a day that is over cannot be sealed
    because that takes them too long.
    """
    moment = clock.now()
    parameters: dict[str, Any] = {
        "organizations": list(organizations),
        "day": day,
        "now": moment,
        "a_moment_ago": moment - OPEN_LAG if open_days else None,
    }
    through = "CASE WHEN ends_at <= %(now)s THEN ends_at ELSE %(a_moment_ago)s END"
    sealable = f"""
        organization_id = ANY(%(organizations)s) AND date = %(day)s
        AND {through} > COALESCE(sealed_through, starts_at)
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT bool_or(ends_at <= %(now)s) FROM aggregates_usageday WHERE {sealable}", parameters)
        (any_over,) = cursor.fetchone()
        if any_over is None:
            return True  # nobody is held up for nothing
        try:
            with waiting_at_most(SEAL_TIMEOUT if any_over else OPEN_SEAL_TIMEOUT):
                take(Lock.DAY, day_number(day))
                cursor.execute(
                    f"UPDATE aggregates_usageday SET sealed_through = {through} WHERE {sealable}", parameters
                )
        except Busy:
            return not any_over
    return True


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be summed of an organization's day: all of it, or only what was sealed since the last time."""

    span: Span
    afresh: bool
    whole: bool  # it reaches the day's end
    marks: list[int]


def roll(day: date, organizations: Ids, *, force: bool = False) -> Summary:
    """Sum the log of a sealed day into the aggregates, for those of the organizations where they lack something.

    Marks, and `force`, have everything summed afresh up to the seal.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        take_shared(Lock.ZONES)
        take(Lock.ROLL, day_number(day))  # in its own statement: the next ones must see what the roller before us did
        works = _works(day, organizations, force)
        if not works:
            return Summary()
        summed = day_sums.sum_log({pk: work.span for pk, work in works.items()})
        period_sums.invalidate(day, works)
        day_sums.clear(day, [pk for pk, work in works.items() if work.afresh])
        added = not all(work.afresh for work in works.values())
        rows = day_sums.write(day, several=len(works) > 1, added=added) if summed else 0
        cursor.execute(
            "DELETE FROM aggregates_staleday WHERE id = ANY(%s)",
            [[mark for work in works.values() for mark in work.marks]],
        )
        cursor.execute(
            "UPDATE aggregates_usageday SET rolled_through = through, rolled_at = clock_timestamp() "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS work (organization, through) "
            "WHERE organization_id = organization AND date = %s",
            [list(works), [work.span.end for work in works.values()], day],
        )
        cursor.execute("DROP TABLE summed_day")
    closed = sum(work.whole for work in works.values())
    return Summary(closed, len(works) - closed, rows)


def _works(day: date, organizations: Ids, force: bool) -> dict[int, _Work]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT organization_id, starts_at, rolled_through, sealed_through, sealed_through = ends_at,
                   array_remove(array_agg(mark.id), NULL)
            FROM aggregates_usageday AS day LEFT JOIN aggregates_staleday AS mark USING (organization_id, date)
            WHERE organization_id = ANY(%(organizations)s) AND day.date = %(day)s AND sealed_through IS NOT NULL
              AND {day_sums.IN_LOG}
              AND (rolled_through IS NULL OR rolled_through < sealed_through OR mark.id IS NOT NULL OR %(force)s)
            GROUP BY organization_id, starts_at, rolled_through, sealed_through, ends_at
            """,
            {"organizations": list(organizations), "day": day, "force": force},
        )
        works = {}
        for pk, starts_at, rolled_through, sealed_through, whole, marks in cursor.fetchall():
            afresh = rolled_through is None or bool(marks) or force
            works[pk] = _Work(Span(starts_at if afresh else rolled_through, sealed_through), afresh, whole, marks)
        return works
