"""Reported and computed cost side by side, by model: where they differ, a price or a sender may be wrong.

Each call is priced anew, by the prices as they are now: with prices by time of day and length of the input, no sum of
tokens would do. That takes time for each call, so only ranges with a bounded number of calls are compared.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from psycopg.sql import SQL

from aggregates.db.logged_calls import call_of, fields_in_sql
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import table, text
from aggregates.db.standby import prefer_standby
from aggregates.domain import formats, locales
from aggregates.domain.money import EXACT
from aggregates.domain.ranges import Range
from aggregates.models import Organization, UsageLog
from aggregates.models.log import CostSource
from aggregates.pricing import Pricer
from aggregates.web.pages.dashboard import PATIENCE

MAX_CALLS = 100_000
BATCH = 5_000
_REPORTED = SQL(
    "FROM {} WHERE organization_id = %s AND timestamp >= %s AND timestamp < %s AND cost_source = %s AND kind = 'call'"
).format(table(UsageLog))
COUNT = text(SQL("SELECT count(*) FROM (SELECT {} LIMIT %s) AS reported").format(_REPORTED))
CALLS = text(SQL("SELECT {} {}").format(fields_in_sql(), _REPORTED))


@dataclass(slots=True)
class Line:
    """A model's calls with a reported cost: what those that have a price cost either way, and how many have none."""

    model: str
    calls: int = 0
    reported: Decimal = Decimal(0)
    computed: Decimal = Decimal(0)
    without_price: int = 0

    def add(self, reported: Decimal, computed: Decimal | None) -> None:
        if computed is None:
            self.without_price += 1
        else:
            self.calls += 1
            self.reported = EXACT.add(self.reported, reported)
            self.computed = EXACT.add(self.computed, computed)

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.computed, self.reported)

    @property
    def share(self) -> str:
        """The difference, as a share of what was reported."""
        if not self.reported:
            return "–"
        sign = locales.current().minus if self.difference < 0 else "+" if self.difference else ""
        return sign + formats.percent(abs(self.difference), self.reported)


@prefer_standby
def compare(organization: Organization, range_: Range, most: int = MAX_CALLS) -> list[Line] | None:
    """Compare costs, a line a model, the largest difference first; None if the range holds more calls than `most`.

    Raises TimedOut.
    """
    values: list[Any] = [organization.pk, range_.span.start, range_.span.end, CostSource.REPORTED.value]
    with snapshot(PATIENCE):
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [*values, most + 1])
            if cursor.fetchone()[0] > most:
                return None
        lines = _lines(organization, values)
    return sorted(lines, key=lambda line: (-abs(line.difference), line.model))


def _lines(organization: Organization, values: list[Any]) -> list[Line]:
    pricer = Pricer(organization)
    lines: dict[str, Line] = {}
    with connection.chunked_cursor() as cursor:
        cursor.execute(CALLS, values)
        while rows := cursor.fetchmany(BATCH):
            for row in rows:
                call = call_of(row)
                line = lines.setdefault(call.model, Line(call.model))
                line.add(call.cost or Decimal(0), pricer.price(call).cost)
    return list(lines.values())
