"""What pricing past calls anew would change: how many calls, and what they cost before and after.

Calls are priced one by one, as when it is done. So that a page does bounded work, aggregates say on which days there
are such calls, and of these days only so many are read, the newest first; what is said then is “at least”. So it is
where some of the newest calls have the price of another model, and older ones may.
"""

from dataclasses import dataclass
from datetime import date

from django.db.models import Min
from django.utils import timezone
from psycopg.sql import SQL

from aggregates.db.limits import TimedOut
from aggregates.db.prepared import fetch_all
from aggregates.db.snapshot import snapshot
from aggregates.db.sql import table, text
from aggregates.db.standby import prefer_standby
from aggregates.domain import days, formats, money
from aggregates.ingest import repricing
from aggregates.ingest.correcting import Change, Criteria
from aggregates.models import Organization, PriceOverride, UsageDay, UsageLog
from aggregates.pricing import Pricer
from aggregates.pricing.overrides import expression
from aggregates.query.runner import read
from aggregates.query.usage_query import MAX_DAYS, Bucket, QueryError, UsageQuery

SECONDS = 15  # that a statement may take
MOST_ROWS = 200_000  # of the log that are read
MOST_CALLS = 20_000  # that are priced
MOST_MODELS = 500  # whose names match
# Aggregates do not know whose price a call has.
ALIASES = text(
    SQL(
        """
        SELECT DISTINCT model, price_model FROM (
            SELECT model, price_model FROM {} WHERE organization_id = %s AND timestamp >= %s AND timestamp < %s
            ORDER BY timestamp DESC LIMIT %s
        ) AS newest WHERE price_model NOT IN ('', model)
        """
    ).format(table(UsageLog))
)


@dataclass(frozen=True, slots=True)
class PastCalls:
    """What changes; `calls` are all that there are of such models, whether they change or not, and `unpriced` those
    without a price, as aggregates count them. Unless `is_whole`, `change` is of some of these. `problem` says why
    nothing is known."""

    change: Change = Change()
    calls: int = 0
    unpriced: int = 0
    is_whole: bool = True
    problem: str = ""

    @property
    def words(self) -> str:
        """Say it: “903 calls, $12.40”; “903 calls, $4.21 → $12.40, 2 of them without a price then”."""
        change = self.change
        if not self.is_whole:
            if not self.calls:
                return "No call of such a name; older ones may have the price of such a model"
            return f"At least {self._words(change)}: not all of {formats.plural(self.calls, 'call')} were looked at"
        return self._words(change) if change.calls else "No past call gets another cost"

    @staticmethod
    def _words(change: Change) -> str:
        had_cost = change.unpriced_before < change.calls
        cost = f"{money.display(change.before)} → {money.display(change.after)}" if had_cost else ""
        cost = cost or money.display(change.after)
        lost = f", {formats.count(change.unpriced_after)} of them without a price then" if change.unpriced_after else ""
        return f"{formats.plural(change.calls, 'call')}, {cost}{lost}"

    @property
    def is_anything(self) -> bool:
        """Say whether something would change, as far as is known."""
        return bool(self.change.calls or not self.is_whole or self.problem)


@prefer_standby
def past_calls(
    organization: Organization,
    pattern: str,
    first: date | None,
    last: date | None,
    draft: PriceOverride | None = None,
) -> PastCalls:
    """Say what pricing the calls of models that match a pattern, of these local days, anew would change; with a draft
    of a price, as if it were set."""
    try:
        whole = _whole_range(organization, first, last)
        if whole is None:
            return PastCalls()
        return _past_calls(organization, pattern, whole, draft)
    except (QueryError, TimedOut) as error:
        return PastCalls(is_whole=False, problem=str(error))


def _past_calls(
    organization: Organization, pattern: str, whole: tuple[date, date], draft: PriceOverride | None
) -> PastCalls:
    by_model = UsageQuery.for_dates(organization, *whole, bucket=Bucket.TOTAL, by=("model",))
    matches = expression(pattern).fullmatch
    used = read([by_model], seconds=SECONDS)[by_model].rows
    aliases = _aliases(by_model)
    are_all = not aliases or sum(row.sums.rows for row in used) <= MOST_ROWS  # who uses none uses them seldom
    meant = {alias for alias, model in aliases if matches(model)}
    rows = [row for row in used if row.key and (row.key in meant or matches(row.key))]
    calls, unpriced = (sum(getattr(row.sums, name) for row in rows) for name in ("calls", "unpriced_calls"))
    if not rows:
        return PastCalls(is_whole=are_all)
    names = tuple(("model", row.key or "") for row in rows[:MOST_MODELS])
    chosen, is_whole = _days(organization, whole, names)
    if not chosen:
        return PastCalls(Change(), calls, unpriced, is_whole=False)
    done = repricing.preview(
        organization,
        Criteria(*whole, pattern=pattern, days=chosen),
        pricer=Pricer(organization, draft),
        seconds=SECONDS,
    )
    return PastCalls(done.total, calls, unpriced, is_whole and are_all and len(rows) <= MOST_MODELS)


def _aliases(query: UsageQuery) -> list[tuple[str, str]]:
    """List the names under which the newest of a query's calls have the price of another model, each with that."""
    with snapshot(SECONDS):
        return fetch_all(ALIASES, [query.organization.pk, query.start, query.end, MOST_ROWS])


def _whole_range(organization: Organization, first: date | None, last: date | None) -> tuple[date, date] | None:
    """The days that have usage, as far as they are meant; None if there are none."""
    zone = organization.time_zone
    kept = UsageDay.objects.filter(organization=organization, date__gte=organization.log_from or date.min)
    earliest = kept.aggregate(first=Min("date"))["first"]
    latest = days.date_of(timezone.now(), zone) + days.DAY
    if earliest is None:
        return None
    since = max(earliest, first or earliest, latest - days.DAY * (MAX_DAYS - 1))
    until = min(latest, last or latest)
    return (since, until) if since <= until else None


def _days(
    organization: Organization, whole: tuple[date, date], names: tuple[tuple[str, str], ...]
) -> tuple[tuple[date, ...], bool]:
    """Choose the days with such calls that may be read, the newest first; and say whether these are all."""
    such = UsageQuery.for_dates(organization, *whole, bucket=Bucket.DAY, filters=names)
    every = UsageQuery.for_dates(organization, *whole, bucket=Bucket.DAY)
    answers = read([such, every], seconds=SECONDS)
    rows = {row.start: row.sums.rows for row in answers[every].rows}
    chosen: list[date] = []
    left_rows, left_calls = MOST_ROWS, MOST_CALLS
    for row in sorted(answers[such].rows, key=lambda row: row.start, reverse=True):
        left_rows -= rows.get(row.start, 0)
        left_calls -= row.sums.calls
        if min(left_rows, left_calls) < 0:
            return tuple(chosen), False
        chosen.append(days.date_of(row.start, organization.time_zone))
    return tuple(chosen), True
