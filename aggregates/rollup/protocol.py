"""How a day is rolled up: seal it through an instant, sum its log up to there into the aggregates, delete the marks
that were seen before summing.

Exact because: a writer that took the day's lock before the seal committed before the roll-up began; a later one leaves
a mark in the same commit as what it changed before the sealed instant; a mark is deleted only if it was read before the
log was. So in any snapshot the aggregates of a day without marks equal its log from its start to `rolled_through`.

A day that is over is sealed through its end. One that is open can be sealed through a moment ago, and again later: then
only what lies between is summed, and added.

Sums are never replaced by less than they were made of: where the log has lost calls of a day since it was rolled up,
and no correction says that it took them out, the day becomes kept instead. What is kept is never summed afresh.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum
from psycopg import sql

from aggregates.db import clock
from aggregates.db.day_states import KEPT, UNROLLED, Hole, current_holes
from aggregates.db.kept_days import TABLES, Day, keep, keep_all_lost, keep_lost
from aggregates.db.locks import Busy, Lock, day_number, held_for, take, take_shared, waiting_at_most
from aggregates.db.partitions import ensure_partitions, hold_log, months_of
from aggregates.domain.contents import current
from aggregates.domain.days import Span
from aggregates.models import Organization, StaleDay
from aggregates.rollup import day_sums, hours, period_sums

SEAL_TIMEOUT = "3s"  # how long sealing may hold up those who record calls of that day
OPEN_SEAL_TIMEOUT = "300ms"  # the same for a day that is open: it is soon tried again
OPEN_LAG = timedelta(minutes=15)  # an open day is sealed this far behind now: most calls are recorded sooner than that
Ids = Collection[int]


@dataclass(slots=True)
class Summary:
    """What a run of rolling up did.

    `days` were rolled through their end, `open_days` up to a moment ago, both by organization; `rows` were written.
    `busy`: dates that could not be sealed, because somebody was recording for long. `kept`: how many days were found to
    lack calls that they were summed from, and keep their sums from now on.
    """

    days: int = 0
    open_days: int = 0
    rows: int = 0
    busy: list[date] = field(default_factory=list)
    kept: int = 0

    def add(self, other: "Summary") -> None:
        self.days += other.days
        self.open_days += other.open_days
        self.rows += other.rows
        self.busy += other.busy
        self.kept += other.kept


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
    in_use = Organization.objects.in_use()
    organizations = list((in_use if only is None else in_use.filter(pk__in=only)).values_list("pk", flat=True))
    summary = Summary(kept=len(_keep_all_lost()))
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


OUTDATED = sql.SQL("""
    SELECT date, array_agg(organization_id) FROM {days}
    WHERE contents = ANY(%s) AND kept_at IS NULL AND rolled_through IS NOT NULL
      AND organization_id NOT IN (SELECT id FROM {organizations} WHERE removal_asked_at IS NOT NULL)
    GROUP BY date ORDER BY date DESC LIMIT %s
""")


def renew(most: int, on_error: Callable[[date, Exception], None] | None = None) -> Summary:
    """Roll up again, newest first and so many dates at most, what was rolled up when aggregates held less than today,
    and recent days that lack their hours.

    Kept days never are: what their aggregates lack nobody knows.
    """
    summary = Summary()
    with connection.cursor() as cursor:
        organizations_table = sql.Identifier(Organization._meta.db_table)
        outdated = OUTDATED.format(**TABLES, organizations=organizations_table)
        cursor.execute(outdated.as_string(), [list(range(1, current())), most])
        found = cursor.fetchall()
    for days in (lambda: found, lambda: hours.lacking(most)):  # after the first, fewer lack hours
        for day, organizations in days():
            try:
                summary.add(roll(day, organizations, force=True))
            except Exception as error:
                if on_error is None:
                    raise
                on_error(day, error)
    return summary


def _keep_all_lost() -> list[Day]:
    with transaction.atomic():
        hold_log()
        return keep_all_lost()


# By the index of days that are not rolled through their end, and by the few marks: never by all days, unless forced.
PENDING = sql.SQL("""
    SELECT date FROM {days} AS day WHERE {unrolled} AND {wanted}
    UNION
    SELECT date FROM {marks} AS mark JOIN {days} AS day USING (organization_id, date) WHERE NOT {kept} AND {wanted}
""")
FORCED = sql.SQL("UNION SELECT date FROM {days} AS day WHERE {wanted}")
WANTED = sql.SQL(
    "organization_id = ANY(%(organizations)s) AND (day.ends_at <= clock_timestamp() OR %(open_days)s)"
    " AND (%(dates)s::date[] IS NULL OR date = ANY(%(dates)s))"
)


def _pending(organizations: Ids, dates: Collection[date] | None, force: bool, open_days: bool) -> list[date]:
    """The dates with work, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            pending_statement(force),
            {
                "organizations": list(organizations),
                "open_days": open_days,
                "dates": None if dates is None else list(dates),
            },
        )
        return sorted(day for (day,) in cursor.fetchall())


def pending_statement(force: bool = False) -> str:
    """The dates with work; with `force` all of them."""
    pending = PENDING.format(**TABLES, unrolled=UNROLLED, kept=KEPT, wanted=WANTED)
    return (pending + FORCED.format(**TABLES, wanted=WANTED) if force else pending).as_string()


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
    through = sql.SQL("CASE WHEN ends_at <= %(now)s THEN ends_at ELSE %(a_moment_ago)s END")
    sealable = sql.SQL("""
        organization_id = ANY(%(organizations)s) AND date = %(day)s
        AND {} > COALESCE(sealed_through, starts_at)
    """).format(through)
    any_over = sql.SQL("SELECT bool_or(ends_at <= %(now)s) FROM {days} WHERE {sealable}")
    update = sql.SQL("UPDATE {days} SET sealed_through = {through} WHERE {sealable}")
    with connection.cursor() as cursor:
        cursor.execute(any_over.format(**TABLES, sealable=sealable).as_string(), parameters)
        (is_over,) = cursor.fetchone()
        if is_over is None:
            return True  # nobody is held up for nothing
        try:
            with waiting_at_most(SEAL_TIMEOUT if is_over else OPEN_SEAL_TIMEOUT):
                take(Lock.DAY, day_number(day))
                take(Lock.STATES, day_number(day))
                cursor.execute(update.format(**TABLES, through=through, sealable=sealable).as_string(), parameters)
        except Busy:
            return not is_over
    return True


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be summed of an organization's day: all of it, or only what was sealed since the last time."""

    starts_at: datetime  # of the day
    span: Span
    rolled_at: datetime | None  # the last time
    afresh: bool
    whole: bool  # it reaches the day's end
    marks: list[int]
    before: int  # calls and charges that its sums are of, where these are to be replaced
    held: int  # calls and charges that its sums are of
    has_hours: bool


def roll(day: date, organizations: Ids, *, force: bool = False) -> Summary:
    """Sum the log of a sealed day into the aggregates, for those of the organizations where they lack something.

    Marks, and `force`, have everything summed afresh up to the seal. A day that has lost calls becomes kept instead.
    Raises Busy, in a cluster, where others record calls of the day for long.
    """
    with transaction.atomic():
        take_shared(Lock.ZONES)
        # In its own statement: the next ones must see what the roller before us did.
        is_cluster = take(Lock.ROLL, day_number(day))
        hold_log()  # what is there by now stays there
        kept = keep_lost(day, organizations)
        # A worker of a cluster may have shown writers a day without its seal for a while after it was sealed. Once
        # these have committed, and it is settled what that worker has, all who come see the seals that are read here.
        with held_for(SEAL_TIMEOUT, Lock.DAY, day_number(day)) if is_cluster else nullcontext():
            works = _works(day, organizations, force)
        if not works:
            return Summary(kept=len(kept))
        ensure_partitions(month for work in works.values() for month in months_of(work.span))
        summed = day_sums.sum_log({pk: work.span for pk, work in works.items()})
        if fewer := _fewer(day, works):
            kept += keep(day, fewer)
            day_sums.leave_out(fewer)
            works = {pk: work for pk, work in works.items() if pk not in fewer}
        rows_of_each = day_sums.rows_summed() if summed else {}
        chosen = hours.choose(day, works, rows_of_each)
        period_sums.invalidate(day, works)
        day_sums.clear(day, [pk for pk, work in works.items() if work.afresh])
        added = not all(work.afresh for work in works.values())
        rows = day_sums.write(day, several=len(works) > 1, added=added) if summed and works else 0
        hours.replace(day, works, chosen, rows_of_each)
        _finish(day, works)
        hours.note(day, chosen)
        day_sums.forget()
    closed = sum(work.whole for work in works.values())
    return Summary(closed, len(works) - closed, rows, kept=len(kept))


def _works(day: date, organizations: Ids, force: bool) -> dict[int, _Work]:
    statement = sql.SQL("""
        SELECT organization_id, starts_at, rolled_through, rolled_at, sealed_through, sealed_through = ends_at, {kept},
               contents, COALESCE(hours_at = rolled_at, false), array_remove(array_agg(mark.id), NULL),
               COALESCE(max(total_calls + total_charges), 0)
        FROM {days} AS day
        LEFT JOIN {marks} AS mark USING (organization_id, date)
        LEFT JOIN {sums} AS sums USING (organization_id, date)
        WHERE organization_id = ANY(%(organizations)s) AND day.date = %(day)s AND sealed_through IS NOT NULL
          AND (rolled_through IS NULL OR rolled_through < sealed_through
               OR (NOT {kept} AND (mark.id IS NOT NULL OR %(force)s)))
        GROUP BY day.organization_id, day.id
    """)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**TABLES, kept=KEPT).as_string(),
            {"organizations": list(organizations), "day": day, "force": force},
        )
        works = {}
        for (
            pk,
            starts_at,
            rolled_through,
            rolled_at,
            sealed_through,
            whole,
            kept,
            contents,
            has_hours,
            marks,
            held,
        ) in cursor.fetchall():
            again = bool(marks) or force or contents != current()
            afresh = rolled_through is None or (again and not kept)
            span = Span(starts_at if afresh else rolled_through, sealed_through)
            replaced = held if afresh and rolled_through else 0
            works[pk] = _Work(
                starts_at, span, rolled_at, afresh, whole, [] if kept else marks, replaced, held, has_hours
            )
        return works


def _fewer(day: date, works: Mapping[int, _Work]) -> list[int]:
    """The organizations whose sums would be replaced by those of fewer calls and charges, though no mark says that so
    many were taken out.

    The marks are read after the log was: whatever was taken out before that has left its mark by then.
    """
    replaced = {pk: work.before for pk, work in works.items() if work.before}
    if not replaced:
        return []
    rows = day_sums.rows_summed()
    if all(rows.get(pk, 0) >= before for pk, before in replaced.items()):
        return []
    marks = StaleDay.objects.filter(organization__in=replaced, date=day).order_by().values("organization")
    removed = dict(marks.values_list("organization").annotate(Sum("removed")))
    return [pk for pk, before in replaced.items() if rows.get(pk, 0) + removed.get(pk, 0) < before]


def _finish(day: date, works: Mapping[int, _Work]) -> None:
    """Delete the marks that were read, and note through which instant the day is rolled up, and with what contents."""
    update = sql.SQL("""
        UPDATE {days} AS day SET rolled_through = through, rolled_at = at,
               contents = CASE WHEN afresh THEN %s ELSE contents END, hours_at = NULL
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bool[])
             AS work (organization_id, through, at, afresh)
        WHERE day.organization_id = work.organization_id AND date = %s
    """)
    if not works:
        return
    holes = current_holes()
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DELETE FROM {marks} WHERE id = ANY(%s)").format(**TABLES).as_string(),
            [[mark for work in works.values() for mark in work.marks]],
        )
        take(Lock.STATES, day_number(day))
        now = clock.now()
        rows = [(pk, work.span.end, _moment(work, now, _birth(work, holes)), work.afresh) for pk, work in works.items()]
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(update.format(**TABLES).as_string(), [current(), *columns, day])


def _moment(work: _Work, now: datetime, born: datetime | None) -> datetime:
    """Say when a day is rolled up: now, but never before the birth of a partition that was summed, which a clock that
    was wrong may have told: the day would count as one that has lost its calls. Nor at the same moment twice, by which
    two roll-ups are told apart."""
    if born is None or born < now:
        return now
    return max(born, work.rolled_at + timedelta(microseconds=1)) if work.rolled_at else born


def _birth(work: _Work, holes: Collection[Hole]) -> datetime | None:
    """Give the latest birth of a partition that holds a part of what is rolled of a day; None if none is told."""
    return max(
        (
            born_at
            for since, until, born_at in holes
            if born_at and (since is None or since < work.span.end) and (until is None or until > work.starts_at)
        ),
        default=None,
    )
