"""Which hours of a part of a day come from their sums: those that these hold all calls of, and no others."""

from datetime import date, datetime, timedelta, timezone

import pytest

from aggregates.domain.days import Span
from aggregates.query.hour_parts import HourPart, split

DAY = date(2025, 5, 6)
MIDNIGHT = datetime(2025, 5, 6, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def span(first: str, until: str) -> Span:
    """From so many hours and minutes of the day to others."""
    bounds = [
        timedelta(hours=int(hours), minutes=int(minutes)) for hours, minutes in (first.split(":"), until.split(":"))
    ]
    return Span(MIDNIGHT + bounds[0], MIDNIGHT + bounds[1])


@pytest.mark.parametrize(
    ("part", "rolled", "hours", "left"),
    [
        (("0:00", "24:00"), "24:00", (0, 24), []),
        (("3:00", "24:00"), "24:00", (3, 24), []),
        (("3:20", "21:40"), "24:00", (4, 21), [("3:20", "4:00"), ("21:00", "21:40")]),
        (("0:00", "24:00"), "13:45", (0, 14), [("13:45", "24:00")]),
        (("0:00", "13:45"), "13:45", (0, 14), []),
        (("0:00", "13:30"), "13:45", (0, 13), [("13:00", "13:30")]),
        (("0:00", "24:30"), "24:30", (0, 25), []),
        (("3:20", "3:50"), "24:00", None, [("3:20", "3:50")]),
        (("14:00", "24:00"), "13:45", None, [("14:00", "24:00")]),
        (("13:10", "24:00"), "13:45", None, [("13:10", "24:00")]),
    ],
)
def test_whole_hours_come_from_sums_and_the_rest_from_the_log(
    part: tuple[str, str], rolled: str, hours: tuple[int, int] | None, left: list[tuple[str, str]]
) -> None:
    chosen, rests = split(
        DAY, span(*part), span("0:00", "24:30" if rolled == "24:30" else "24:00"), span("0:00", rolled)
    )
    assert chosen == (hours and HourPart(DAY, *hours))
    assert rests == [span(*each) for each in left]
