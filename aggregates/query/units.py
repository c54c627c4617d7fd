"""What has a price of its own: how much of each unit calls used, summed over the log, which alone knows it.

A range of few days is read whatever there is. Of a longer one the calls that have units are found by an index of their
own, and only so many of them are added up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from psycopg.sql import SQL

from aggregates.db.prepared import fetch_all
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import table, text
from aggregates.domain.formats import count
from aggregates.domain.measures import Sums
from aggregates.domain.units import BY_NAME
from aggregates.models import Organization, UsageLog
from aggregates.query.day_states import read_states_for
from aggregates.query.planner import DayStates, days_not_in_log, named_days
from aggregates.query.scans import calls_of, conditions, filters_of
from aggregates.query.usage_query import QueryError, UsageQuery

MOST_CALLS = 500_000  # with units, that are added up over more than a few days

WITH_UNITS = SQL(
    "FROM {} WHERE organization_id = %s AND timestamp >= %s AND timestamp < %s AND units IS NOT NULL"
).format(table(UsageLog))
COUNT = text(SQL("SELECT count(*) FROM (SELECT {} LIMIT %s) AS call").format(WITH_UNITS))
SUM = SQL("""
    SELECT unit.name, sum(unit.quantity::numeric), count(*), count(*) - count(cost), COALESCE(sum(cost), 0)
    FROM (SELECT units, cost {calls}{conditions}) AS call
    CROSS JOIN LATERAL jsonb_each_text(units) AS unit (name, quantity)
    GROUP BY unit.name
""")


@dataclass(frozen=True, slots=True)
class UnitSums:
    """How much of a unit calls used, and what these calls come to: their calls, those without a price, and their cost,
    which is that of the whole calls, as what of it the unit cost is recorded nowhere."""

    unit: str
    quantity: Decimal
    sums: Sums

    @property
    def words(self) -> str:
        return BY_NAME[self.unit].words if self.unit in BY_NAME else self.unit


@dataclass(frozen=True, slots=True)
class UnitTotals:
    """The units of a query's calls, in the order of UNITS, any others last; a call with several is in each of them.

    `missing` says of which days calls are not in the log any more, and so not in these sums.
    """

    units: tuple[UnitSums, ...]
    missing: str = ""


def read_units(query: UsageQuery, *, seconds: int) -> UnitTotals:
    """Add up the units of a query's calls over its whole range.

    Raises QueryError where that is too much, and TimedOut if a statement takes longer than so many seconds.
    """
    of_calls: list[Any] = [query.organization.pk, query.start, query.end]
    filters, values = filters_of(query)
    statement = text(SUM.format(calls=WITH_UNITS, conditions=conditions(filters)))
    with snapshot(seconds) as now:
        missing = ". ".join(_missing(query, read_states_for(query, now)))
        if len(query.days) > settings.LIVE_DAYS:
            ((calls,),) = fetch_all(COUNT, [*of_calls, MOST_CALLS + 1])
            if calls > MOST_CALLS:
                raise QueryError(
                    f"{_too_many(query)} have units: ask for fewer days, or for {count(settings.LIVE_DAYS)} at most."
                )
            if not calls:
                return UnitTotals((), missing)
        summed = fetch_all(statement, [*of_calls, *values])
        found = [UnitSums(name, quantity, _sums(*sums)) for name, quantity, *sums in summed]
    order = {name: number for number, name in enumerate(BY_NAME)}
    return UnitTotals(tuple(sorted(found, key=lambda each: (order.get(each.unit, len(order)), each.unit))), missing)


def has_units(organization: Organization) -> bool:
    """Say whether any call in the log has units."""
    return calls_of(organization).filter(units__isnull=False).exists()


def _too_many(query: UsageQuery) -> str:
    """Say how many calls are counted; within a scope not that, as others' are among them."""
    return "Too many calls of this range" if query.scope else f"More than {count(MOST_CALLS)} calls of this range"


def _sums(calls: int, unpriced_calls: int, cost: Decimal) -> Sums:
    return Sums(calls=calls, unpriced_calls=unpriced_calls, cost=cost)


def _missing(query: UsageQuery, day_states: DayStates) -> Iterator[str]:
    """Say of which days calls are not in the log: of those before its first, and of others."""
    first = day_states.log_from or date.min
    for _, days in groupby(days_not_in_log(query, day_states), key=lambda day: day < first):
        yield named_days(query, list(days), day_states.log_from)
