"""Days and moments in words, as an organization's wall clock shows them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from aggregates.domain import days, locales
from aggregates.domain.days import DAY

NARROW_SPACE = "\u202f"  # does not break


def day_words(day: date) -> str:
    """As in “5 Jul 2025”."""
    return f"{day:%b} {day.day}, {day.year}" if locales.current().month_first else f"{day.day} {day:%b} {day.year}"


def short_day_words(day: date) -> str:
    """As in “5 Jul” or “Jul 5”."""
    return f"{day:%b} {day.day}" if locales.current().month_first else f"{day.day} {day:%b}"


def moment_words(local: datetime) -> str:
    """As in “5 Jul 2025 14:05” or “Jul 5, 2025, 2:05 PM”."""
    return f"{day_words(local.date())}{',' if locales.current().month_first else ''} {clock(local)}"


def weekday_words(day: date) -> str:
    """As in “Saturday 5 Jul 2025” or “Saturday, Jul 5, 2025”."""
    return f"{day:%A}{',' if locales.current().month_first else ''} {day_words(day)}"


def span_words(first: date, last: date) -> str:
    """Days from first to last, with what they share said once: “27 Aug – 3 Sep 2025”, “1 – 5 Jul 2025”."""
    words = day_words(last)
    if first == last:
        return words
    if first.year != last.year:
        return f"{day_words(first)} – {words}"
    same_month = first.month == last.month
    if locales.current().month_first:
        return f"{first:%b} {first.day} – {last.day if same_month else f'{last:%b} {last.day}'}, {last.year}"
    return f"{first.day if same_month else f'{first.day} {first:%b}'} – {words}"


def clock(local: datetime, *, seconds: bool = False) -> str:
    """As in “14:05” or “2:05 PM”."""
    rest = f"{local:%M:%S}" if seconds else f"{local:%M}"
    if not locales.current().twelve_hours:
        return f"{local:%H}:{rest}"
    return f"{local.hour % 12 or 12}:{rest}{NARROW_SPACE}{'PM' if local.hour >= 12 else 'AM'}"


def when(instant: datetime, zone: str, as_of: datetime) -> str:
    """As in “today 01:00 UTC” or “3 Jul 2025 01:00 UTC”."""
    local = instant.astimezone(ZoneInfo(zone))
    day, today = days.date_of(instant, zone), days.date_of(as_of, zone)
    named = {today: "today", today - DAY: "yesterday"}.get(day)
    return f"{f'{named} {clock(local)}' if named else moment_words(local)} {abbreviation(local)}"


def abbreviation(local: datetime) -> str:
    """The zone's short name at that moment; of zones that have only a number, the number."""
    name = local.tzname() or ""
    return f"UTC{name}" if name[:1] in "+-" else name
