"""Calendar periods as an organization counts them: its weeks, months, quarters, years and fiscal years."""

from dataclasses import dataclass
from datetime import date

from aggregates.domain import days
from aggregates.domain.days import DAY, MONDAY

MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal_year": 12}  # of each period that is made of months
UNITS = ("day", "week", *MONTHS)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The day that weeks begin with, 1 for Monday to 7 for Sunday, and the month that fiscal years begin with, 1 to
    12."""

    first_weekday: int = MONDAY
    first_month: int = 1

    def period(self, unit: str, day: date) -> tuple[date, date]:
        """Give the first and the last day of the period, one of UNITS, that a day is in."""
        if unit == "day":
            return day, day
        if unit == "week":
            first = days.week_of(day, self.first_weekday)
            return first, first + 6 * DAY
        months, number = MONTHS[unit], _number(day)
        first_month = self.first_month if unit == "fiscal_year" else 1
        first = _month(number - (number - first_month + 1) % months)
        return first, add_months(first, months) - DAY


def add_months(first: date, number: int) -> date:
    """Give the first day of the month that comes so many months after the one that begins with this day."""
    return _month(_number(first) + number)


def whole_months(first: date, last: date) -> int:
    """Count the months that these days are, first to last, both included; 0 where they are not whole months."""
    if first.day != 1 or (last + DAY).day != 1 or last < first:
        return 0
    return _number(last) - _number(first) + 1


def _number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
