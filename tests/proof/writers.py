"""Those who record: batches of calls from all times, some sent twice, some slow to commit, some broken off."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta

from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from aggregates import ingest
from aggregates.domain import days
from aggregates.domain.calls import CHARGE, Call, InvalidCall
from aggregates.models import Organization
from tests.proof.scene import TIMES, Scene, make_call
from tests.proof.tally import Tally

BATCH = 8  # calls at most
BURST, LULL = 0.4, 0.3  # seconds; in a lull rolling up gets to an end, and readers see what it made
LONGEST_HOLD = 0.3  # seconds that a writer takes to commit, as one does who imports a file


class BrokenOff(Exception):
    """A batch whose sender gives up half-way."""


def write(scene: Scene, chance: random.Random, tally: Tally) -> None:
    """Record one batch, again and again until it is acknowledged, as a sender does who gets no answer."""
    await_burst()
    with scene.lock:
        repeated = chance.choice(scene.recent) if chance.random() < 0.15 else None
    if repeated:
        organization, calls = repeated
        calls = [*chance.sample(calls, min(len(calls), BATCH)), *batch(scene, organization, chance)[:2]]
        tally.count("batches with calls sent before")
    else:
        organization = chance.choice(scene.organizations)
        calls = batch(scene, organization, chance)
    if chance.random() < 0.05:
        break_off(organization, calls, tally)
    try:
        while not record(organization, calls, chance, tally):
            pass
    except InvalidCall:
        tally.count("batches refused because of a kept day")
        return
    scene.acknowledge(organization, calls)
    count(scene, organization, calls, tally)
    time.sleep(chance.random() * 0.03)


def await_burst() -> None:
    """All writers work at the same times, and rest at the same times."""
    moment = time.monotonic() % (BURST + LULL)
    time.sleep(max(0.0, BURST + LULL - moment) if moment > BURST else 0)


def batch(scene: Scene, organization: Organization, chance: random.Random) -> list[Call]:
    """Calls about one to three times."""
    now = scene.clock.now()
    whens = chance.choices([when for when, _ in TIMES], [weight for _, weight in TIMES], k=chance.randrange(1, 4))
    return [
        make_call(chance, chance.choice(whens)(chance, now, organization.time_zone))
        for _ in range(chance.randrange(1, BATCH + 1))
    ]


def record(organization: Organization, calls: list[Call], chance: random.Random, tally: Tally) -> bool:
    """Whether it was acknowledged."""
    try:
        with transaction.atomic():
            ingest.record(organization, calls)
            if chance.random() < 0.5:
                time.sleep(chance.random() * LONGEST_HOLD)
    except OperationalError as error:
        if not isinstance(error.__cause__, (DeadlockDetected, LockNotAvailable)):
            raise
        tally.count("batches that had to be sent again")
        return False
    return True


def break_off(organization: Organization, calls: list[Call], tally: Tally) -> None:
    """Send calls of which nothing may stay."""
    lost = [call._replace(request_id=f"broken-off-{call.request_id}") for call in calls]

    def ending() -> Iterator[Call]:
        yield from lost
        raise BrokenOff

    try:
        if len(lost) % 2:
            ingest.record(organization, ending())
        else:
            with transaction.atomic():
                ingest.record(organization, lost)
                raise BrokenOff
    except InvalidCall:
        tally.count("batches refused because of a kept day")
    except BrokenOff:
        tally.count("batches broken off")


def count(scene: Scene, organization: Organization, calls: list[Call], tally: Tally) -> None:
    now, zone = scene.clock.now(), organization.time_zone
    today = days.date_of(now, zone)
    dates = [days.date_of(call.timestamp, zone) for call in calls]
    tally.count("calls recorded", len(calls))
    tally.count("charges recorded", sum(call.kind == CHARGE for call in calls))
    tally.count("calls of days that were over", sum(day < today for day in dates))
    tally.count("calls of the day that was open", sum(day == today for day in dates))
    tally.count("calls ahead of the clock", sum(call.timestamp > now + timedelta(minutes=1) for call in calls))
    if len(set(dates)) > 1:
        tally.count("batches across a midnight")
