"""The advisory locks of this app: each is held until its transaction ends."""

from collections.abc import Iterable
from datetime import date
from enum import IntEnum

from django.db import connection


class Lock(IntEnum):
    """First half of a lock's key; the second half is a number within the class."""

    PARTITIONS = 74_001  # whoever makes partitions
    ZONES = 74_002  # shared by whoever relies on time zones staying as they are
    DAY = 74_003  # by date: shared by writers of its calls, exclusive for sealing
    ROLL = 74_004  # by date: whoever rolls it up
    SCHEDULES = 74_005  # whoever writes the task cluster's schedules


def take(lock: Lock, number: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [lock, number])


def take_shared(lock: Lock, numbers: Iterable[int] = (0,)) -> None:
    """Take each in ascending order, so that two who want the same ones cannot deadlock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, number) FROM unnest(%s::int[]) AS number",
            [lock, sorted(numbers)],
        )


def day_number(day: date) -> int:
    return day.toordinal()
