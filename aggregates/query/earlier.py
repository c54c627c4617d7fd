"""What a range is compared with, in words; and whether there is enough of it for a percentage to say anything."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from psycopg.sql import SQL

from aggregates.db.prepared import fetch_all
from aggregates.db.sql import table, text
from aggregates.domain.days import DAY, HOUR, INSTANT
from aggregates.domain.formats import decimal, plural
from aggregates.domain.lengths import WHOLE, Lengths
from aggregates.domain.ranges import Range
from aggregates.domain.wallclock import day_words
from aggregates.models import Organization, UsageDay, UsageLog
from aggregates.query.selection import Selection

FIRST_DAY = text(
    SQL("SELECT date, starts_at FROM {} WHERE organization_id = %s ORDER BY date LIMIT 1").format(table(UsageDay))
)
FEW_DAYS = 2  # a range of so many days is begun by the hour


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier range that a selection is compared with; `now` is the part of its own that can be.

    `begins` is the day of the organization's first usage, where the earlier range begins before that: then a percentage
    would say how long ago that was, and nothing of how usage changed.
    """

    now: Range
    before: Range
    is_by_whole_days: bool
    is_per_day: bool
    begins: date | None

    @property
    def has_percentage(self) -> bool:
        return self.begins is None

    @property
    def days_now(self) -> Fraction:
        """How many times 24 hours have gone by."""
        return _in_days(self.now.elapsed)

    @property
    def days_before(self) -> Fraction:
        return _in_days(self.before.elapsed)

    @property
    def lengths(self) -> Lengths:
        """By how many days amounts are divided before they are compared."""
        return Lengths(self.days_before, self.days_now) if self.is_per_day else WHOLE

    @property
    def is_of_other_length(self) -> bool:
        """Whether by the day the comparison is another one."""
        return self.now.elapsed != self.before.elapsed

    @property
    def words(self) -> str:
        """As in “compared with 1 – 14 Oct 2026, until 09:40”."""
        if self.begins:
            return f"not compared with {self.before.words}, as usage begins on {day_words(self.begins)}"
        return self._words

    @property
    def words_beside(self) -> str:
        """The same of a page that has the amounts of both: there, only percentages are left out."""
        if self.begins and self.begins <= self.before.last:
            return f"{self._words}, where usage only begins on {day_words(self.begins)}"
        return self.words

    @property
    def _words(self) -> str:
        before = self.before.words
        if self.is_by_whole_days:
            return f"of which {self.now.words} is compared with {before}: hours of then are no longer kept"
        how = " by the day" if self.is_per_day else ""
        return f"compared{how} with {before}{_of_other_length(self.now, self.before)}"


def earlier_of(selection: Selection) -> Earlier:
    """Describe what a selection is compared with, as it is in the snapshot that this is asked in."""
    now, before = selection.comparable.range, selection.compared.range
    begins = first_usage(selection.organization, before)
    return Earlier(now, before, selection.is_compared_by_whole_days, selection.is_per_day, begins)


def first_usage(organization: Organization, before: Range) -> date | None:
    """Find the day of the organization's first usage, if the earlier range begins before it; None if it does not, or
    there is no usage at all. Where the range begins on that very day, hours count if it has few of them. Nobody with a
    scope is told when the usage of others began."""
    if organization.scope:
        return None
    first = fetch_all(FIRST_DAY, [organization.pk])
    if not first:
        return None
    ((day, start),) = first
    if before.first == day and before.length <= FEW_DAYS:
        of_day = UsageLog.objects.filter(organization=organization, timestamp__gte=start, timestamp__lt=start + DAY)
        call = of_day.order_by("timestamp").values_list("timestamp", flat=True).first()
        return day if call and before.span.start + HOUR <= call else None
    return day if before.first < day else None


def _in_days(time: timedelta) -> Fraction:
    return Fraction(time // INSTANT, DAY // INSTANT)


def _of_other_length(now: Range, before: Range) -> str:
    """Say how long the ranges are, where that is not the same; and where it is, although the wall clock tells another
    time."""
    if before.is_cut:
        is_moved = now.name != "24h" and _clock(now) != _clock(before)
        return ", as many hours: clocks were changed" if is_moved else ""
    if now.elapsed == before.elapsed:
        return ""
    if now.open_at:
        is_told = abs(now.elapsed - before.elapsed) * 20 >= DAY  # in days with one decimal
        return f", {plural(before.length, 'day')} against {_days(now.elapsed)}" if is_told else ", nearly as long"
    if now.length != before.length:
        return f", {plural(before.length, 'day')} against {now.length}"
    return f", {plural(before.elapsed // HOUR, 'hour')} against {now.elapsed // HOUR}"


def _clock(of: Range) -> time:
    """Tell the time of the day up to which a range goes."""
    return (of.span.start + of.elapsed).astimezone(ZoneInfo(of.zone)).time()


def _days(time: timedelta) -> str:
    return decimal(Decimal(time // INSTANT) / (DAY // INSTANT), 1)
