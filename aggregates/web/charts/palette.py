"""Which colour a group gets: the same over filters and pages, whatever else is shown with it.

The groups that cost most in the year up to the range have the colours in their order; of two that would have the same
one, the greater keeps it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from zlib import crc32

from aggregates.domain import days
from aggregates.query.answer import Answer
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket, UsageQuery

COLOURS = 8
REST = "rest"
ROUNDS = (0, 3, 1)  # the shades of groups that share a colour, those that come first at first
RANKED = 64


def query(selection: Selection) -> UsageQuery:
    """Ask what the groups cost in the months of a year up to the last day, which may still be under way."""
    last, zone = selection.range.last, selection.organization.time_zone
    end = days.midnight(last, zone)
    start = days.midnight(year_of_months(last), zone)
    whole = replace(selection, filters=(), excluded=(), measure="cost").in_all(by=selection.by, top=RANKED)
    return replace(whole, start=start, end=end, bucket=Bucket.TOTAL)


def year_of_months(last: date) -> date:
    """Give the first day of the month eleven months before; a month more on the first day of one, which adds
    nothing."""
    month = days.month_of(last - days.DAY)
    return date(month.year - 1, month.month % 12 + 1, 1) if month.month < 12 else date(month.year, 1, 1)


def roles(keys: Sequence[str | None], ranked: Answer | None) -> dict[str | None, str]:
    """Give each group its colour, by its role in the style sheet; where there are more groups than colours, those that
    come later have shades of them."""
    order = [key for key in ranked.keys if key is not None] if ranked else []
    preferred = {key: number % COLOURS for number, key in enumerate(order)}
    named = [key for key in keys if key is not None]
    taken: dict[int, str] = {}
    for key in [*(key for key in order if key in named), *(key for key in named if key not in preferred)]:
        first, round_ = preferred.get(key, crc32(key.encode()) % COLOURS), len(taken) // COLOURS * COLOURS
        slots = (round_ + (first + step) % COLOURS for step in range(COLOURS))
        taken[next(slot for slot in slots if slot not in taken)] = key
    found = {key: shade(f"series-{slot % COLOURS + 1}", ROUNDS[slot // COLOURS]) for slot, key in taken.items()}
    return found | {None: "other"}


def shade(role: str, number: int | str) -> str:
    """Give a shade of a colour by its role in the style sheet: 0 is the colour itself, REST that of the rest."""
    return f"{role} shade-{number}" if number else role
