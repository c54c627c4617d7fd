"""What arrived, counted by source and hour: a report for people who ask why calls are missing, and no money.

So a count is written in a short transaction of its own, after what it counts is committed: it neither holds up
recording nor two senders with one key for longer than an upsert of a few rows, may be lost in a crash, and never fails
what it counts. Its size is bounded: a source has a limited number of reasons an hour, the rest are counted as one; and
an organization of files.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import PurePath
from typing import Any, NamedTuple

from django.db import Error, connection, transaction
from psycopg.sql import SQL

from aggregates.db.clock import now
from aggregates.db.sql import table, text
from aggregates.domain.calls import FIELDS
from aggregates.domain.formats import excerpt
from aggregates.models import ApiKey, ArrivalCount, ArrivalOutcome, Organization
from aggregates.models.arrival import MAX_FILE, MAX_REASON, OTHERS

KEPT = timedelta(days=30)
MOST_REASONS = 20  # of an outcome, that are kept apart for a source and an hour
MOST_FILES = 100  # of an organization, that are kept apart for an hour
OTHER_FILES = "other files"
GOT = re.compile(r", got [\d,.: -]+(?: UTC)?$")  # of one row alone, behind a reason that others share
PLACE = re.compile(r"^(?:(?:Row|row|line|after line) [\d,]+:? ?)+")  # of a row, before a reason that others share

# Where a count is waited for, somebody else has just counted for the same key: that takes no longer than this.
LIMITS = "SELECT set_config('lock_timeout', '1s', true), set_config('synchronous_commit', 'off', true)"
WRITE = text(
    SQL(
        """
        WITH arrived AS (
            SELECT outcome, reason, count, row_number() OVER (
                PARTITION BY outcome ORDER BY reason IN ('', %(others)s), count DESC, reason
            ) AS place
            FROM unnest(%(outcomes)s::text[], %(reasons)s::text[], %(counts)s::bigint[])
                AS given (outcome, reason, count)
        ), hour AS (
            SELECT date_trunc('hour', statement_timestamp(), 'UTC') AS hour
        ), known AS (
            SELECT outcome, reason FROM {counts} JOIN hour USING (hour)
            WHERE organization_id = %(organization)s AND api_key_id IS NOT DISTINCT FROM %(api_key)s AND file = %(file)s
                AND reason NOT IN ('', %(others)s)
        ), named AS (
            SELECT outcome, count, CASE
                WHEN reason = '' OR (outcome, reason) IN (SELECT outcome, reason FROM known)
                    OR place + (SELECT count(*) FROM known WHERE known.outcome = arrived.outcome) <= %(most)s
                THEN reason ELSE %(others)s END AS reason
            FROM arrived
        )
        INSERT INTO {counts} AS counted
            (organization_id, api_key_id, file, hour, outcome, reason, count, last_at)
        SELECT %(organization)s, %(api_key)s, %(file)s, hour, outcome, reason, sum(count), statement_timestamp()
        FROM named CROSS JOIN hour GROUP BY hour, outcome, reason ORDER BY outcome, reason
        ON CONFLICT (organization_id, hour, api_key_id, file, outcome, reason) DO UPDATE
        SET count = counted.count + excluded.count, last_at = greatest(counted.last_at, excluded.last_at)
        """
    ).format(counts=table(ArrivalCount))
)
# Nearly all tell no reasons: then nothing is to be bounded.
PLAIN = text(
    SQL(
        """
        INSERT INTO {counts} AS counted
            (organization_id, api_key_id, file, hour, outcome, reason, count, last_at)
        SELECT %(organization)s, %(api_key)s, %(file)s, date_trunc('hour', statement_timestamp(), 'UTC'), outcome, '',
            count, statement_timestamp()
        FROM unnest(%(outcomes)s::text[], %(counts)s::bigint[]) AS given (outcome, count) ORDER BY outcome
        ON CONFLICT (organization_id, hour, api_key_id, file, outcome, reason) DO UPDATE
        SET count = counted.count + excluded.count, last_at = greatest(counted.last_at, excluded.last_at)
        """
    ).format(counts=table(ArrivalCount))
)

logger = logging.getLogger(__name__)


class Source(NamedTuple):
    """Who sent something: an API key, or a file that was imported."""

    organization: Organization
    api_key: ApiKey | None = None
    file: str = ""

    @classmethod
    def of_file(cls, organization: Organization, name: str) -> "Source":
        """Name a file by the last part of its path."""
        return cls(organization, file=_cut(excerpt(PurePath(name).name, MAX_FILE) or "a file", MAX_FILE))


class Tally:
    """What became of one request or file, by outcome and reason."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[ArrivalOutcome, str]]()

    def add(self, outcome: ArrivalOutcome, number: int = 1, reason: str = "") -> None:
        """Count something that became of so many; of a reason what may be shared by many rows."""
        if number > 0:
            self.counts[outcome, _cut(GOT.sub("", PLACE.sub("", reason)), MAX_REASON)] += number

    def add_each(self, outcome: ArrivalOutcome, reasons: Iterable[tuple[str, str]]) -> None:
        """Count fields with what is wrong about them. Where there is no such field, its name is the sender's own text,
        and not kept."""
        for field, reason in reasons:
            named = field if field in FIELDS or outcome != ArrivalOutcome.REJECTED or not field else "another field"
            self.add(outcome, reason=f"{named}: {reason}" if named else reason)

    def only_refused(self, reason: str) -> None:
        """Forget what was counted: all of it was refused."""
        self.counts.clear()
        self.add(ArrivalOutcome.REFUSED, reason=reason)


def count_arrivals(source: Source, tally: Tally) -> None:
    """Add a tally to the counts of this hour. It never raises because of the database: what it counts is done."""
    if not tally.counts:
        return
    try:
        file = _file_within_limit(source)
        # In one message, which is a transaction of its own, unless there is one around it.
        with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            write = WRITE if any(reason for _, reason in tally.counts) else PLAIN
            cursor.execute(f"{LIMITS}; {write}", _parameters(source, file, _bounded(tally.counts)))
    except Error as error:
        logger.warning("What arrived was not counted: %s", str(error).partition("\n")[0])


def forget_arrivals() -> int:
    """Delete the counts of more than 30 days ago; how many rows."""
    deleted, _ = ArrivalCount.objects.filter(hour__lt=now() - KEPT).delete()
    return deleted


def _bounded(counts: Counter[tuple[ArrivalOutcome, str]]) -> Counter[tuple[ArrivalOutcome, str]]:
    """The counts with the most frequent reasons of each outcome; a request may bring thousands."""
    bounded, reasons = Counter[tuple[ArrivalOutcome, str]](), Counter[ArrivalOutcome]()
    for (outcome, reason), number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        reasons[outcome] += bool(reason)
        bounded[outcome, reason if reasons[outcome] <= MOST_REASONS or not reason else OTHERS] += number
    return bounded


def _file_within_limit(source: Source) -> str:
    """The name of the file, or what stands for all beyond the most that are kept apart in an hour."""
    if not source.file:
        return ""
    hour = now().replace(minute=0, second=0, microsecond=0)
    files = ArrivalCount.objects.filter(organization=source.organization, hour=hour, api_key=None)
    names = set(files.values_list("file", flat=True).distinct())
    return source.file if source.file in names or len(names) < MOST_FILES else OTHER_FILES


def _parameters(source: Source, file: str, counts: Counter[tuple[ArrivalOutcome, str]]) -> dict[str, Any]:
    return {
        "organization": source.organization.pk,
        "api_key": source.api_key.pk if source.api_key else None,
        "file": file,
        "outcomes": [outcome.value for outcome, _ in counts],
        "reasons": [reason for _, reason in counts],
        "counts": list(counts.values()),
        "most": MOST_REASONS,
        "others": OTHERS,
    }


def _cut(words: str, longest: int) -> str:
    """Words as the table takes them."""
    cut = words if len(words) <= longest else words[: longest - 1] + "…"
    return cut.replace("\0", "").encode(errors="replace").decode()
