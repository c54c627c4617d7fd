"""The orders in which calls are listed, newest or most expensive first, and places in them, where a page begins."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, Self

from psycopg.sql import SQL

from aggregates.domain.days import INSTANT, Span
from aggregates.models import UsageLog

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BY_TIME = re.compile(r"(\d{1,17})-(\d{1,18})", re.ASCII)
BY_COST = re.compile(r"cost(none|-?\d{1,12}\.\d{12})-(\d{1,18})", re.ASCII)
UNKNOWN = "none"


class Place(Protocol):
    """The place of a call in an order; as text, a part of an address."""

    @classmethod
    def of(cls, call: UsageLog) -> Self: ...

    def condition(self, *, is_beyond: bool) -> tuple[SQL, list[Any]]:
        """Give the condition, which begins with AND, that calls come after this place, or before it."""
        ...

    def reaches(self, span: Span, *, is_beyond: bool) -> bool:
        """Tell whether a span may hold such calls."""
        ...

    def is_in(self, span: Span) -> bool:
        """Tell whether the place itself may be in a span."""
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place among calls from the newest to the oldest."""

    timestamp: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.timestamp - EPOCH) // INSTANT}-{self.id}"

    @classmethod
    def of(cls, call: UsageLog) -> "Cursor":
        return cls(call.timestamp, call.pk)

    def condition(self, *, is_beyond: bool) -> tuple[SQL, list[Any]]:
        return OLDER if is_beyond else NEWER, [self.timestamp, self.timestamp, self.id]

    def reaches(self, span: Span, *, is_beyond: bool) -> bool:
        return span.start <= self.timestamp if is_beyond else span.end > self.timestamp

    def is_in(self, span: Span) -> bool:
        return span.start <= self.timestamp < span.end


@dataclass(frozen=True, slots=True)
class CostCursor:
    """A place among calls from the most expensive to the cheapest; those without a price come last."""

    cost: Decimal | None
    id: int

    def __str__(self) -> str:
        return f"cost{UNKNOWN if self.cost is None else f'{self.cost:.12f}'}-{self.id}"

    @classmethod
    def of(cls, call: UsageLog) -> "CostCursor":
        return cls(call.cost, call.pk)

    def condition(self, *, is_beyond: bool) -> tuple[SQL, list[Any]]:
        if self.cost is None:
            return UNPRICED_BEYOND if is_beyond else UNPRICED_BEFORE, [self.id]
        return CHEAPER if is_beyond else DEARER, [self.cost, self.cost, self.id]

    def reaches(self, span: Span, *, is_beyond: bool) -> bool:
        return True

    def is_in(self, span: Span) -> bool:
        return True


OLDER = SQL(" AND timestamp <= %s AND (timestamp < %s OR id < %s)")
NEWER = SQL(" AND timestamp >= %s AND (timestamp > %s OR id > %s)")
CHEAPER = SQL(" AND (cost < %s OR (cost = %s AND id < %s) OR cost IS NULL)")
DEARER = SQL(" AND (cost > %s OR (cost = %s AND id > %s))")
UNPRICED_BEYOND = SQL(" AND cost IS NULL AND id < %s")
UNPRICED_BEFORE = SQL(" AND (cost IS NOT NULL OR id > %s)")


def parse(text: str) -> Cursor | CostCursor:
    """Read a place back from its text; raises ValueError."""
    if match := BY_COST.fullmatch(text):
        return CostCursor(None if match[1] == UNKNOWN else Decimal(match[1]), int(match[2]))
    if match := BY_TIME.fullmatch(text):
        return Cursor(EPOCH + timedelta(microseconds=int(match[1])), int(match[2]))
    raise ValueError("expected a place in the list, as its links have it")


@dataclass(frozen=True, slots=True)
class Order:
    """An order by name: its places, and how SQL says it and its reverse."""

    name: str
    label: str
    place: type[Cursor] | type[CostCursor]
    forwards: SQL
    backwards: SQL
    is_by_time: bool


ORDERS = {
    order.name: order
    for order in (
        Order("", "Newest first", Cursor, SQL("timestamp DESC, id DESC"), SQL("timestamp, id"), is_by_time=True),
        Order(
            "cost",
            "Most expensive first",
            CostCursor,
            SQL("cost DESC NULLS LAST, id DESC"),
            SQL("cost NULLS FIRST, id"),
            is_by_time=False,
        ),
    )
}
