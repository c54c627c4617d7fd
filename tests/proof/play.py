"""One round of the proof: everybody works at once until enough was compared; then all is rolled up and compared."""

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from unittest.mock import patch

from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings

from aggregates.db import standby
from aggregates.domain import days
from aggregates.models import UsageDay
from aggregates.query.answer import Row
from aggregates.query.long_tails import LongTails
from aggregates.query.usage_query import UsageQuery
from aggregates.rollup import protocol
from tests import patience
from tests.proof.clock import Clock, fast_clock
from tests.proof.correctors import amend
from tests.proof.droppers import drop
from tests.proof.mutants import Mutant
from tests.proof.questions import SHORT
from tests.proof.readers import BY_STANDBY, compare_everything, read, read_standby
from tests.proof.rollers import roll, roll_and_be_interrupted, terminate
from tests.proof.scene import START, Scene, remove_tables, set_up
from tests.proof.tally import Tally
from tests.proof.writers import write
from tests.replica import Replica, standby_set
from tests.small_chunks import small_chunks

WRITERS, READERS = 4, 3
PATIENCE = 10.0  # seconds that a read waits for the standby: with synchronous_commit off it is often behind for a while
# Two groups make a tail, so that the five subjects of a day have one, and their month more than one beginning.
SIZES = {"GROUPS": 2, "FIRST": 2, "A_PART": 4, "FEW": 1}
FOUND_BY_ORDER = "first groups of a tail that were found by their order"
# A proof in which one of these did not happen shows nothing.
SEEN = (
    "batches across a midnight",
    "batches broken off",
    "batches with calls sent before",
    "charges recorded",
    "calls of days that were over",
    "calls of the day that was open",
    "calls deleted",
    "calls priced anew",
    "comparisons that read aggregates",
    "comparisons that read aggregates and the log",
    "comparisons that read kept days",
    "comparisons that read a month as a whole",
    "comparisons that read a week as a whole",
    "comparisons that read hours from their sums",
    "comparisons that read the first part of an open day from aggregates",
    "comparisons of breakdowns that one statement answered",
    FOUND_BY_ORDER,
    "comparisons of questions that share the calls they read",
    "months dropped by hand",
    "roll-ups broken off by a lost connection",
    "roll-ups broken off by an error",
)
RARE = ("changes of time zone", "months that came back", "batches refused because of a kept day")
COUNTED_AFTERWARDS = ("days rolled up", "marks left by writers", "midnights passed")
Part = Callable[[Scene, random.Random, Tally], None]


@dataclass(frozen=True, slots=True)
class Round:
    """How long: until so much was compared or a mutant was seen, at most so many seconds; how fast its days pass."""

    seed: int
    seconds: float
    comparisons: int
    seconds_a_day: float = 1.0
    organizations: int = 6
    calls_each: int = 300  # of each organization, before it begins
    mutant: Mutant | None = None
    standby: Replica | None = None  # of the database, which some readers read


class Cast:
    """The threads of a round, each with a connection of its own."""

    def __init__(self, scene: Scene, setting: Round, tally: Tally) -> None:
        self.scene, self.setting, self.tally = scene, setting, tally
        self.stop = Event()
        self.interrupted_backend = 0
        self.threads = [Thread(target=self.disturb)]
        for number in range(WRITERS):
            self.enter(f"writer {number}", write)
        if not setting.mutant:  # its marks heal what a mutant breaks
            self.enter("corrector", amend)
        if not setting.mutant or setting.mutant.drops:
            self.enter("dropper", drop)
        self.enter("roller", roll)
        self.enter("interrupted roller", roll_and_be_interrupted)
        for number in range(READERS):
            self.enter(f"reader {number}", read_standby if setting.standby and number else read)

    def enter(self, name: str, part: Part) -> None:
        self.threads.append(Thread(target=self.play, args=[name, part], name=name))

    def play(self, name: str, part: Part) -> None:
        chance = random.Random(f"{self.setting.seed} {name}")
        try:
            with ExitStack() as stack:
                if self.setting.mutant and part is not read:
                    stack.enter_context(connection.execute_wrapper(self.setting.mutant.wrapper))
                while not self.stop.is_set():
                    connection.ensure_connection()
                    if part is roll_and_be_interrupted:
                        self.interrupted_backend = connection.connection.info.backend_pid
                    part(self.scene, chance, self.tally)
        except Exception as error:
            self.tally.fail(error)
            self.stop.set()
        finally:
            connections.close_all()

    def disturb(self) -> None:
        """Take the interrupted roller's connection away, now and then."""
        chance = random.Random(self.setting.seed)
        while not self.stop.wait(0.05 + 0.3 * chance.random()):
            terminate(self.interrupted_backend)
        connection.close()

    def run(self) -> None:
        with short_turns():
            self.run_all()

    def run_all(self) -> None:
        for thread in self.threads:
            thread.start()
        give_up = time.monotonic() + self.setting.seconds
        while not self.stop.wait(0.05):
            if self.has_shown_enough() or time.monotonic() > give_up:
                self.stop.set()
        for thread in self.threads:
            thread.join()

    def has_shown_enough(self) -> bool:
        if self.setting.mutant:
            return self.tally.differences > 0
        if self.setting.standby and not self.tally.did[BY_STANDBY]:
            return False
        return self.tally.comparisons >= self.setting.comparisons and all(self.tally.did[what] for what in SEEN)


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads change often: whoever has an answer from the database should soon send the next statement."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def play(setting: Round) -> Tally:
    """Empties the tables, plays and returns what was done; raises what a worker raised."""
    call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
    tally = Tally()
    # Low limits, so that short ranges read aggregates, too.
    with (
        override_settings(LIVE_DAYS=SHORT, LIVE_CALLS=20),
        small_chunks(**SIZES),
        long_tails_counted(tally),
        standby_set(setting.standby) if setting.standby else nullcontext(),
        patch.object(standby, "PATIENCE", PATIENCE),
        fast_clock(START, setting.seconds_a_day) as clock,
    ):
        scene = set_up(clock, random.Random(setting.seed), setting.organizations, setting.calls_each)
        marks = last_mark()
        Cast(scene, setting, tally).run()
        if tally.errors:
            raise tally.errors[0]
        count_days(scene, tally)
        tally.count("marks left by writers", last_mark() - marks)
    if not setting.mutant:
        converge(scene, clock, tally)
    remove_tables()
    return tally


@contextmanager
def long_tails_counted(tally: Tally) -> Iterator[None]:
    """Count the questions that are answered without adding up all groups."""
    rows_of = LongTails.rows_of

    def counted(tails: LongTails, query: UsageQuery) -> list[Row] | None:
        rows = rows_of(tails, query)
        tally.count(FOUND_BY_ORDER, rows is not None)
        return rows

    with patch.object(LongTails, "rows_of", counted):
        yield


def converge(scene: Scene, clock: Clock, tally: Tally) -> None:
    """Let all days be over, roll up, and compare all that there is."""
    for organization in scene.organizations:
        organization.refresh_from_db()  # it may have moved
    with fast_clock(clock.now() + timedelta(days=3), seconds_a_day=86400):
        protocol.roll_up()
        compare_everything(scene, tally)


def play_mutant(mutant: Mutant, seed: int, seconds_a_day: float = 1.5) -> Tally:
    """Few organizations and slow days, so that much happens to the same days."""
    return play(
        Round(
            seed=seed,
            seconds=patience.PATIENCE,
            comparisons=0,
            seconds_a_day=seconds_a_day,
            organizations=2,
            calls_each=40,
            mutant=mutant,
        )
    )


def last_mark() -> int:
    """How many marks were ever left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('aggregates_staleday', 'id')), 0)"
        )
        number: int = cursor.fetchone()[0]
        return number


def not_done(tally: Tally, *more: str) -> list[str]:
    return [what for what in (*SEEN, *COUNTED_AFTERWARDS, *more) if not tally.did[what]]


def count_days(scene: Scene, tally: Tally) -> None:
    tally.count("days rolled up", UsageDay.objects.filter(rolled_at__isnull=False).count())
    for organization in scene.organizations:
        zone = organization.time_zone
        passed = days.date_of(scene.clock.now(), zone) - days.date_of(START, zone)
        tally.count("midnights passed", passed.days)
