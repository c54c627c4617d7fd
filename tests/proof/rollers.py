"""Those who roll up: one works on, the other is interrupted at random, by errors and lost connections."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from aggregates.domain import days
from aggregates.ops import tasks
from aggregates.rollup import protocol
from aggregates.rollup.runs import DatesFailed
from tests.proof.scene import Scene
from tests.proof.tally import Tally

Work = Callable[[Scene, random.Random], object]


def repair(scene: Scene, chance: random.Random) -> object:
    return tasks.repair()


def nightly(scene: Scene, chance: random.Random) -> object:
    return tasks.nightly()


def some_organizations(scene: Scene, chance: random.Random) -> object:
    return protocol.roll_up(only=[organization.pk for organization in chance.sample(scene.organizations, 2)])


def recent_days_again(scene: Scene, chance: random.Random) -> object:
    today = days.date_of(scene.clock.now(), "UTC")
    return protocol.roll_up(
        dates={today - timedelta(days=chance.randrange(-1, 5)) for _ in range(2)}, force=True, open_days=True
    )


WORK: tuple[tuple[Work, int], ...] = ((repair, 8), (nightly, 1), (some_organizations, 2), (recent_days_again, 2))


RETRIED = ("cannot be asked what it has",)  # of a worker of a cluster, in the middle of a roll-up: it is tried again
LOST = ("57P01", None)  # SQLSTATE: the server ended the connection; it was found ended


class Interrupted(Exception):
    """What the interrupted roller meets in the middle of a transaction."""


class Pauses:
    """Wraps every statement: before some that stand in a transaction, time goes by for others to come between."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if connection.in_atomic_block and self.chance.random() < 0.02:
            time.sleep(self.chance.random() * 0.06)
        return execute(sql, params, many, context)


class Interruptions:
    """Wraps every statement: before or after some that stand in a transaction, an error comes up."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not connection.in_atomic_block or self.chance.random() > 0.02:
            return execute(sql, params, many, context)
        if self.chance.random() < 0.5:
            execute(sql, params, many, context)
        raise Interrupted(sql)


def _is_tried_again(error: BaseException | None) -> bool:
    """Whether the error, or what caused it, is one after which days are rolled up by the next run."""
    while error is not None:
        if any(words in str(error) for words in RETRIED):
            return True
        error = error.__cause__
    return False


def roll(scene: Scene, chance: random.Random, tally: Tally, *, interrupted: bool = False) -> None:
    """One run of rolling up."""
    (work,) = chance.choices([work for work, _ in WORK], [weight for _, weight in WORK])
    try:
        with connection.execute_wrapper((Interruptions if interrupted else Pauses)(chance)):
            work(scene, chance)
    except (Interrupted, DatesFailed) as error:
        if not interrupted and not _is_tried_again(error):
            raise
        tally.count("roll-ups broken off by an error")
    except (OperationalError, InterfaceError) as error:
        if not interrupted or getattr(error.__cause__, "sqlstate", None) not in LOST:
            raise
        connection.close()
        tally.count("roll-ups broken off by a lost connection")
    else:
        tally.count("runs of rolling up")
    time.sleep(chance.random() * 0.02)


def roll_and_be_interrupted(scene: Scene, chance: random.Random, tally: Tally) -> None:
    roll(scene, chance, tally, interrupted=True)


def terminate(backend: int) -> None:
    """End a connection's server process if it is in the middle of a transaction.

    By now another process may have its number, of another database: that goes on.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid = %s AND datname = current_database() "
            "AND xact_start IS NOT NULL AND state IN ('active', 'idle in transaction')",
            [backend],
        )
