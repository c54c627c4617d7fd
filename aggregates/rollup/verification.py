"""Comparing aggregates with the log, day by day, and rolling up again what differs."""

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import connection, transaction
from psycopg.sql import SQL

from aggregates.db import clock
from aggregates.db.partitions import settle_births
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import table, text
from aggregates.domain import days
from aggregates.domain.days import DAY
from aggregates.domain.formats import plural
from aggregates.domain.periods import Period, periods_of
from aggregates.ingest.day_locks import ensure_days, lock_zone
from aggregates.models import Organization, UsageDay, UsageLog
from aggregates.rollup import day_sums, period_sums, protocol

NEWEST = 7  # days that are compared every night; the others of a comparison are drawn by lot
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """A day whose aggregates were not the sums over its log, and whether they are now; or whether they are kept, as the
    log holds fewer calls."""

    organization: str
    date: date
    what: str
    repaired: bool
    kept: bool = False

    def __str__(self) -> str:
        outcome = "rolled up again, and equal now" if self.repaired else "rolling it up again did not help"
        if self.kept:
            outcome = "its sums are kept, as the log lacks calls that they were made of"
        return f"{self.organization} {self.date}: {self.what}; {outcome}"


@dataclass(slots=True)
class Verified:
    days: int = 0
    differences: list[Difference] = field(default_factory=list)


def choose(number: int) -> list[date]:
    """So many dates, oldest first: in every time zone its newest closed days, at most NEWEST, and some older ones.

    Today comes with the newest: what is rolled up of it is compared, too.
    """
    now = clock.now()
    zones = Organization.objects.order_by().values_list("time_zone", flat=True).distinct()
    today = sorted(days.date_of(now, zone) for zone in zones)
    if not today:
        return []
    newest = min(number, NEWEST)
    first, last = today[0] - newest * DAY, today[-1]
    in_log = UsageDay.objects.not_kept().filter(date__lt=first)
    older = in_log.order_by().values_list("date", flat=True).distinct()
    known = sorted(older) if number > newest else []
    return [
        *sorted(random.sample(known, min(number - newest, len(known)))),
        *(days.dates(first, last) if newest else ()),
    ]


def verify(dates: Collection[date], on_day: Callable[[date], None] = lambda day: None) -> Verified:
    """Compare these days of all organizations, and see to calls whose day is not known; what differs is repaired.

    Days that are not rolled up or stale are left out: their numbers come from the log. So are days that are kept, and
    first of all those become that which have lost calls. Then the weeks and months of these days are compared with
    their days.
    """
    slugs = dict(Organization.objects.in_use().values_list("pk", "slug"))
    done = Verified()
    settle_births()
    for organization, day in sorted(unknown_days(), key=lambda found: found[1]):
        _note(organization, day)
        done.differences.append(_repair(organization, slugs, day, "calls of a day that was not known"))
    for day in dates:
        done.days += UsageDay.objects.comparable().filter(organization__in=slugs, date=day).count()
        for organization, what in _differing(day, slugs).items():
            done.differences.append(_repair(organization, slugs, day, what))
        on_day(day)
    for period in sorted({period for day in dates for period in periods_of(day)}):
        for organization in period_sums.verify(period, slugs):
            done.differences.append(_sum_again(organization, slugs, period))
    return done


def _sum_again(organization: int, slugs: dict[int, str], period: Period) -> Difference:
    period_sums.add_up(period, [organization], afresh=True)
    repaired = organization not in period_sums.verify(period, [organization])
    difference = Difference(slugs[organization], period.first, f"the sums of the {period.unit}", repaired)
    logger.error("Sums of a period differed from those of its days: %s.", difference)
    return difference


def _differing(day: date, organizations: Collection[int]) -> dict[int, str]:
    """Where the day differs, in words, by organization."""
    grains: dict[int, list[str]] = defaultdict(list)
    for mismatch in day_sums.verify(day, organizations):
        grains[mismatch.organization_id].append(f"{mismatch.grain} in {plural(mismatch.rows, 'row')}")
    return {organization: ", ".join(words) for organization, words in grains.items()}


def _repair(organization: int, slugs: dict[int, str], day: date, what: str) -> Difference:
    failed: list[Exception] = []
    protocol.roll_up(
        only=[organization],
        dates={day},
        force=True,
        open_days=True,
        on_error=lambda day, error: failed.append(error),
    )
    kept = UsageDay.objects.kept().filter(organization=organization, date=day).exists()
    repaired = not failed and not kept and not _differing(day, [organization])
    difference = Difference(slugs[organization], day, what, repaired, kept)
    logger.error("Aggregates differed from the log: %s.", difference, exc_info=failed[0] if failed else None)
    return difference


def _note(organization: int, day: date) -> None:
    """Make the day known, as recording its calls should have."""
    with transaction.atomic():
        whose = Organization.objects.get(pk=organization)
        lock_zone(whose)
        ensure_days(whose, [day])


def unknown_days() -> set[tuple[int, date]]:
    """Days with calls in the log that were never noted as recorded, by organization: there should be none.

    Looks only into the gaps between an organization's known days, so it costs a step in an index for each gap.
    """
    found = set()
    with snapshot():
        zones = dict(Organization.objects.in_use().values_list("pk", "time_zone"))
        for pk, zone in zones.items():
            gaps = _gaps(pk)
            while gaps:
                known = [(days.date_of(instant, zone), end) for instant, end in _first_calls(pk, gaps)]
                found |= {(pk, day) for day, _ in known}
                gaps = [(days.span_of(day, zone).end, end) for day, end in known]
    return found


Gap = tuple[datetime | None, datetime | None]  # from and until; None: without a bound


def _gaps(organization: int) -> list[Gap]:
    """The times between the organization's known days, and before and after them all."""
    known = UsageDay.objects.filter(organization=organization).order_by("starts_at").values_list("starts_at", "ends_at")
    gaps: list[Gap] = []
    since: datetime | None = None
    for starts_at, ends_at in known:
        if since is None or since < starts_at:
            gaps.append((since, starts_at))
        since = ends_at
    return [*gaps, (since, None)]


def _first_calls(organization: int, gaps: list[Gap]) -> list[tuple[datetime, datetime | None]]:
    """The first call of the organization in each gap that has any, and the gap's end."""
    statement = SQL("""
        SELECT first_call.timestamp, ends
        FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS gap (starts, ends)
        CROSS JOIN LATERAL (
            SELECT timestamp FROM {} WHERE organization_id = %s
              AND timestamp >= coalesce(starts, '-infinity') AND timestamp < coalesce(ends, 'infinity')
            ORDER BY timestamp LIMIT 1
        ) AS first_call
    """).format(table(UsageLog))
    with connection.cursor() as cursor:
        cursor.execute(text(statement), [[start for start, _ in gaps], [end for _, end in gaps], organization])
        calls: list[tuple[datetime, datetime | None]] = cursor.fetchall()
    return calls
