"""What arrived from each key and file of an organization, and what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from psycopg.sql import SQL

from aggregates.db.snapshot import snapshot
from aggregates.db.sql import table, text
from aggregates.models import ApiKey, ArrivalCount, ArrivalOutcome, Kind, Organization
from aggregates.models.arrival import OTHERS

HOUR = timedelta(hours=1)
BARS = 24  # hours, of which calls are told one by one
PERIODS: Mapping[str, int] = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24}  # hours, the one that runs among them
MOST_SOURCES = 200  # that are told, those that sent last
MOST_REASONS = 10  # of an outcome of a source, the most frequent ones

# What somebody should look at, the worst first; and what is good to know.
PROBLEMS = (
    ArrivalOutcome.REFUSED,
    ArrivalOutcome.REJECTED,
    ArrivalOutcome.NOT_UNDERSTOOD,
    ArrivalOutcome.CONFLICT,
    ArrivalOutcome.DOUBT,
)
REMARKS = (ArrivalOutcome.ADJUSTED, ArrivalOutcome.SAME_CALL)

LATEST = text(
    SQL(
        """
        SELECT api_key_id, file, max(last_at) FROM {counts} WHERE organization_id = %s
        GROUP BY api_key_id, file ORDER BY max(last_at) DESC LIMIT %s
        """
    ).format(counts=table(ArrivalCount))
)
FOUND = text(
    SQL(
        """
        WITH told AS (
            SELECT api_key_id, file, outcome, reason, sum(count) AS count, max(last_at) AS last_at,
                   row_number() OVER (
                       PARTITION BY api_key_id, file, outcome ORDER BY reason = %(others)s, sum(count) DESC, reason
                   ) AS place
            FROM {counts} WHERE organization_id = %(organization)s AND hour >= %(since)s
            GROUP BY api_key_id, file, outcome, reason
        ), named AS (
            SELECT api_key_id, file, outcome, count, last_at,
                   CASE WHEN place <= %(most)s THEN reason ELSE %(others)s END AS reason
            FROM told
        )
        SELECT api_key_id, file, outcome, reason, sum(count)::bigint, max(last_at)
        FROM named GROUP BY api_key_id, file, outcome, reason
        ORDER BY reason = %(others)s, sum(count) DESC, reason
        """
    ).format(counts=table(ArrivalCount))
)
BY_HOUR = text(
    SQL(
        """
        SELECT api_key_id, file, hour, count FROM {counts}
        WHERE organization_id = %s AND hour >= %s AND outcome = %s
        """
    ).format(counts=table(ArrivalCount))
)

_Key = tuple[int | None, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """How often something became of what a source sent, why, and when last."""

    outcome: ArrivalOutcome
    reason: str
    count: int
    last_at: datetime


@dataclass(slots=True)
class SourceArrivals:
    """What arrived from one key or file: calls of the last 24 hours one by one, the rest within the period."""

    key: ApiKey | None
    file: str
    last_at: datetime | None = None
    hours: list[int] = field(default_factory=lambda: [0] * BARS)
    counts: dict[ArrivalOutcome, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.key.name if self.key else self.file

    def count(self, *outcomes: ArrivalOutcome) -> int:
        """Add up what became of it in these ways."""
        return sum(self.counts.get(outcome, 0) for outcome in outcomes)

    def of(self, outcomes: Iterable[ArrivalOutcome]) -> list[Finding]:
        """List the findings of these outcomes, in their order."""
        return [finding for outcome in outcomes for finding in self.findings if finding.outcome == outcome]

    @property
    def problems(self) -> list[Finding]:
        return self.of(PROBLEMS)

    @property
    def remarks(self) -> list[Finding]:
        return self.of(REMARKS)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrived for an organization since an instant, from whoever sent last first; all is well without problems."""

    organization: Organization
    period: str
    since: datetime
    as_of: datetime
    sources: list[SourceArrivals]

    def count(self, *outcomes: ArrivalOutcome) -> int:
        """Add up what became of all in these ways."""
        return sum(source.count(*outcomes) for source in self.sources)

    @property
    def is_well(self) -> bool:
        return not self.count(*PROBLEMS)

    @property
    def first_bar(self) -> datetime:
        """The hour of the first of each source's `hours`."""
        return _hour(self.as_of) - (BARS - 1) * HOUR


def read_arrivals(organization: Organization, period: str, *, seconds: int | None = None) -> Arrivals:
    """Read what arrived within a period of PERIODS: from each key that may record, and each file of 30 days."""
    with snapshot(seconds) as now:
        since = _hour(now) - (PERIODS[period] - 1) * HOUR
        sources = _sources(organization, now)
        _fill(organization, sources, since, _hour(now) - (BARS - 1) * HOUR)
    return Arrivals(organization, period, since, now, list(sources.values()))


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _sources(organization: Organization, now: datetime) -> dict[_Key, SourceArrivals]:
    """Find who sent something, the latest first, and then the keys that work and never did."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST, [organization.pk, MOST_SOURCES])
        latest: dict[_Key, datetime] = {(key, file): last_at for key, file, last_at in cursor.fetchall()}
    works = Q(revoked_at=None) | Q(revoked_at__gt=now)
    keys = ApiKey.objects.filter(organization=organization, kind=Kind.RECORD)
    named = {key.pk: key for key in keys.filter(works | Q(pk__in=[key for key, _ in latest if key]))}
    found = {
        (pk, file): SourceArrivals(named.get(pk) if pk else None, file, last_at)
        for (pk, file), last_at in latest.items()
        if not pk or pk in named
    }
    silent = sorted((key for key in named.values() if (key.pk, "") not in found), key=lambda key: -key.pk)
    for key in silent[: MOST_SOURCES - len(found)]:
        found[key.pk, ""] = SourceArrivals(key, "", key.last_used_at)
    return found


def _fill(
    organization: Organization, sources: Mapping[_Key, SourceArrivals], since: datetime, first_bar: datetime
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FOUND, {"organization": organization.pk, "since": since, "most": MOST_REASONS, "others": OTHERS})
        for key, file, outcome, reason, count, last_at in cursor.fetchall():
            if source := sources.get((key, file)):
                finding = Finding(ArrivalOutcome(outcome), reason, count, last_at)
                source.counts[finding.outcome] = source.count(finding.outcome) + count
                if finding.outcome in (*PROBLEMS, *REMARKS):
                    source.findings.append(finding)
        cursor.execute(BY_HOUR, [organization.pk, first_bar, ArrivalOutcome.ACCEPTED])
        for key, file, hour, count in cursor.fetchall():
            if source := sources.get((key, file)):
                source.hours[min(BARS - 1, (hour - first_bar) // HOUR)] += count
