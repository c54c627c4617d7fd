"""Days and moments in words, as an organization's wall clock shows them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from aggregates import days
from aggregates.days import DAY


def day_words(day: date) -> str:
    """As in “5 Jul 2025”."""
    return f"{day.day} {day:%b %Y}"


def when(instant: datetime, zone: str, as_of: datetime) -> str:
    """As in “today 01:00 UTC” or “3 Jul 2025 01:00 UTC”."""
    local = instant.astimezone(ZoneInfo(zone))
    day, today = days.date_of(instant, zone), days.date_of(as_of, zone)
    named = {today: "today", today - DAY: "yesterday"}.get(day, day_words(day))
    return f"{named} {local:%H:%M} {abbreviation(local)}"


def abbreviation(local: datetime) -> str:
    """The zone's short name at that moment; of zones that have only a number, the number."""
    name = local.tzname() or ""
    return f"UTC{name}" if name[:1] in "+-" else name
