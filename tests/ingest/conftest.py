"""What tests of recording look at."""

from collections.abc import Callable
from datetime import date
from typing import Any

from aggregates.domain.calls import Call
from aggregates.models import StaleDay, UsageDay, UsageLog

MakeCall = Callable[..., Call]
DAY = date(2025, 3, 1)


def log(*columns: str) -> list[Any]:
    return list(UsageLog.objects.order_by("timestamp", "request_id").values_list(*columns, flat=len(columns) == 1))


def days_and_marks() -> tuple[list[str], list[str]]:
    """The recorded days, and those of the marks, as they are written: a mark for each."""
    days = UsageDay.objects.order_by("date").values_list("date", flat=True)
    marks = StaleDay.objects.order_by("date").values_list("date", flat=True)
    return [str(day) for day in days], [str(day) for day in marks]
