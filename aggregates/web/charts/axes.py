"""Where the buckets of a chart stand on its time axis: on the organization's wall clock, as text without an offset.

Plotly takes such text as it is, so nothing shifts into the browser's time zone. When clocks are set back, hours repeat:
those share the room up to the next hour that is new, so that each keeps a place of its own, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from aggregates.domain.days import DAY, HOUR
from aggregates.domain.wallclock import abbreviation, clock, day_words
from aggregates.query.usage_query import Bucket, UsageQuery


@dataclass(frozen=True, slots=True)
class Axis:
    """One entry per bucket: `places` as ISO text, `widths` to the next one, `notes` where an hour repeats."""

    places: tuple[str, ...]
    widths: tuple[timedelta, ...]
    notes: tuple[str, ...]
    is_hourly: bool

    @property
    def times(self) -> list[str]:
        """The places in words."""
        if not self.is_hourly:
            return [day_words(date.fromisoformat(place)) for place in self.places]
        moments = map(datetime.fromisoformat, self.places)
        return [f"{day_words(moment.date())}, {clock(moment)}" for moment in moments]


def axis_of(query: UsageQuery) -> Axis:
    """Make the axis for the buckets of a query by hour, day, week or month."""
    if query.bucket == Bucket.HOUR:
        return axis_of_hours(query.buckets, query.zone)
    if query.bucket == Bucket.DAY:
        return axis_of_days([day for day, _ in query.days])
    starts = query.bucket_dates
    ends = (*starts[1:], query.last + DAY)
    widths = tuple(end - start for start, end in zip(starts, ends, strict=True))
    return Axis(tuple(map(str, starts)), widths, ("",) * len(starts), is_hourly=False)


def axis_of_days(dates: Sequence[date]) -> Axis:
    """Place each day at its date, however long it is."""
    return Axis(tuple(map(str, dates)), (DAY,) * len(dates), ("",) * len(dates), is_hourly=False)


def axis_of_hours(instants: Sequence[datetime], zone: str) -> Axis:
    locals_ = [instant.astimezone(ZoneInfo(zone)) for instant in instants]
    clocks = [local.replace(tzinfo=None) for local in locals_]
    places = _in_order(clocks)
    ends = [*places[1:], places[-1] + HOUR]
    widths = tuple(min(HOUR, end - place) for place, end in zip(places, ends, strict=True))
    repeated = {local for local in clocks if clocks.count(local) > 1}
    notes = tuple(
        f"{clock(local)} {abbreviation(local)}" if place != own or own in repeated else ""
        for local, own, place in zip(locals_, clocks, places, strict=True)
    )
    return Axis(tuple(place.isoformat(timespec="seconds") for place in places), widths, notes, is_hourly=True)


def _in_order(clocks: Sequence[datetime]) -> list[datetime]:
    """Spread wall clocks that do not advance evenly before the next one that does."""
    places: list[datetime] = []
    waiting = 0
    for local in clocks:
        if places and local <= places[-1]:
            waiting += 1
            continue
        places += _between(places[-1], local, waiting) if waiting else []
        places.append(local)
        waiting = 0
    return places + (_between(places[-1], places[-1] + HOUR, waiting) if waiting else [])


def _between(start: datetime, end: datetime, number: int) -> list[datetime]:
    step = (end - start) / (number + 1)
    return [start + step * (position + 1) for position in range(number)]
