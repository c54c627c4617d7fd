"""Where the proof plays: organizations around the world, and made-up calls now, ahead, late and about midnight."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Lock

from django.db import connection

from aggregates.db.partitions import existing_months, partition_name
from aggregates.domain import days
from aggregates.domain.calls import CHARGE, Call
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.proof import plain
from tests.proof.clock import Clock

START = datetime(2025, 3, 28, 21, tzinfo=UTC)  # soon clocks are set forward in Berlin, and then a month ends
PAST = timedelta(days=60)  # how far back the log reaches when the clock starts: over a whole month
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12")
VALUES = {
    "operation": ("chat", "search", ""),
    "provider": ("openai", "anthropic"),
    "model": ("large", "small", "tiny"),
    "user_id": ("alice", "bob", "charlie", ""),
    "subject_id": ("s1", "s2", "s3", "s4", "s5"),
    "project": ("web", ""),
    "service_tier": ("batch", ""),
    "key": ("uk_one", "uk_two", ""),
}
MICROSECOND = timedelta(microseconds=1)


@dataclass
class Scene:
    """The organizations, and which calls of theirs were acknowledged: told to be in the log."""

    clock: Clock
    organizations: list[Organization]
    acknowledged: set[tuple[int, str]] = field(default_factory=set)
    recent: list[tuple[Organization, list[Call]]] = field(default_factory=list)  # batches that may be sent again
    lock: Lock = field(default_factory=Lock)

    def acknowledge(self, organization: Organization, calls: list[Call]) -> None:
        with self.lock:
            self.acknowledged.update((organization.pk, call.request_id) for call in calls)
            self.recent = [*self.recent[-50:], (organization, calls)]


def set_up(clock: Clock, chance: random.Random, organizations: int, calls_each: int) -> Scene:
    """Every other day of the past is rolled up; the rest is sealed for the first time while others write to it."""
    make_tables()
    scene = Scene(clock, [make_organization(f"o{number}", zone) for number, zone in enumerate(ZONES[:organizations])])
    for organization in scene.organizations:
        calls = [make_call(chance, clock.start - PAST * chance.random()) for _ in range(calls_each)]
        record(organization, calls)
        scene.acknowledge(organization, calls)
    roll_up(dates={clock.start.date() - number * days.DAY for number in range(0, PAST.days, 2)})
    return scene


def make_tables() -> None:
    """Begin without months, as other rounds made theirs at times that are still to come; and make the log as it is
    compared, with the calls of months that are dropped by hand."""
    with connection.cursor() as cursor:
        for month in existing_months():
            cursor.execute(f"DROP TABLE {partition_name(month)}")
        cursor.execute("DROP TABLE IF EXISTS proof_aside CASCADE; DROP TABLE IF EXISTS proof_detached, proof_tick")
        cursor.execute("CREATE TABLE proof_tick (reader text PRIMARY KEY, number int)")
        cursor.execute("CREATE TABLE proof_aside (LIKE aggregates_usagelog)")
        cursor.execute("CREATE VIEW proof_log AS SELECT * FROM aggregates_usagelog UNION ALL SELECT * FROM proof_aside")
    plain.log_table = "proof_log"


def remove_tables() -> None:
    plain.log_table = "aggregates_usagelog"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS proof_aside CASCADE; DROP TABLE IF EXISTS proof_detached, proof_tick")


def make_call(chance: random.Random, timestamp: datetime) -> Call:
    """Make a call; or seldom a charge, which may be a credit."""
    if chance.random() < 0.1:
        return Call(
            timestamp=timestamp,
            request_id=f"{chance.getrandbits(64):016x}",
            kind=CHARGE,
            cost=Decimal(chance.randrange(-(10**15), 10**15)).scaleb(-12),
            **{name: chance.choice(values) for name, values in VALUES.items()},
        )
    tokens, answered = chance.randrange(5000), chance.randrange(900)
    cached = chance.randrange(tokens + 1)
    return Call(
        timestamp=timestamp,
        request_id=f"{chance.getrandbits(64):016x}",
        status=chance.choice(("ok", "ok", "ok", "error")),
        input_tokens=tokens,
        cached_tokens=cached,
        cache_write_tokens=chance.randrange(tokens - cached + 1),
        output_tokens=answered,
        reasoning_tokens=chance.randrange(answered + 1),
        cost=chance.choice((None, Decimal("1e-12"), *[Decimal(chance.randrange(10**15)).scaleb(-12)] * 4)),
        **{name: chance.choice(values) for name, values in VALUES.items()},
    )


When = Callable[[random.Random, datetime, str], datetime]


def just_now(chance: random.Random, now: datetime, zone: str) -> datetime:
    return now - timedelta(minutes=10) * chance.random()


def ahead(chance: random.Random, now: datetime, zone: str) -> datetime:
    """From a sender whose clock is fast."""
    return now + timedelta(hours=20) * chance.random()


def earlier_today(chance: random.Random, now: datetime, zone: str) -> datetime:
    """About where an open day that is rolled up now ends to be settled."""
    return now - timedelta(minutes=10 + chance.choice((10, 180)) * chance.random())


def about_midnight(chance: random.Random, now: datetime, zone: str) -> datetime:
    midnight = days.midnight(days.date_of(now, zone) + chance.choice((0, 0, 1)) * days.DAY, zone)
    return midnight + chance.choice((-MICROSECOND, timedelta(), timedelta(minutes=20) * (chance.random() - 0.5)))


def late(chance: random.Random, now: datetime, zone: str) -> datetime:
    return now - timedelta(days=3) * chance.random()


def very_late(chance: random.Random, now: datetime, zone: str) -> datetime:
    return now - PAST * chance.random()


TIMES: tuple[tuple[When, int], ...] = (  # with how often they are chosen
    (just_now, 3),
    (ahead, 1),
    (earlier_today, 4),
    (about_midnight, 3),
    (late, 4),
    (very_late, 3),
)
