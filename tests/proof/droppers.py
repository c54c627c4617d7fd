"""Who drops months of the log by hand, and sometimes brings them back: their days are to keep their sums."""

import random
import time
from datetime import date, timedelta

from django.db import connection, transaction

from aggregates.db.locks import Busy, Lock, day_number, take, take_shared, waiting_at_most
from aggregates.db.partitions import bounds_of, existing_months, lock_out, partition_name
from aggregates.domain import days
from aggregates.rollup import protocol
from tests.proof.scene import Scene
from tests.proof.tally import Tally

PATIENCE = "3s"  # that others wait behind whoever drops a month, at most
AWAY = 0.5  # seconds, at most, that a month is gone which comes back


def drop(scene: Scene, chance: random.Random, tally: Tally) -> None:
    """Now and then take a month away that is over everywhere."""
    time.sleep(0.5)
    over = [month for month in existing_months() if bounds_of(month)[1] < scene.clock.now() - timedelta(days=1)]
    if not over or chance.random() > 0.3:
        return
    month = chance.choice(over)
    comes_back = chance.random() < 0.4
    try:
        take_away(scene, month, comes_back)
    except Busy:
        tally.count("months that could not be dropped because others were at work")
        return
    if not comes_back:
        tally.count("months dropped by hand")
        return
    time.sleep(AWAY * chance.random())
    tally.count("months that came back" if bring_back(month) else "months that could not come back")


def take_away(scene: Scene, month: date, comes_back: bool) -> None:
    """Drop or detach the month, with its calls laid aside for the comparison.

    Its days are rolled up first, while nobody else reads or writes: what is not in any sum would be gone for good.
    """
    start, end = bounds_of(month)
    dates = list(days.dates((start - 2 * days.DAY).date(), (end + days.DAY).date()))
    organizations = [organization.pk for organization in scene.organizations]
    name = partition_name(month)
    with transaction.atomic(), connection.cursor() as cursor:
        with waiting_at_most(PATIENCE):
            take_shared(Lock.ZONES)
            take(Lock.ROLL, *map(day_number, dates))
            lock_out()
        for day in dates:
            if not protocol.seal(day, organizations):
                raise Busy
            protocol.roll(day, organizations)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"INSERT INTO proof_aside SELECT * FROM {name}")
        if comes_back:
            cursor.execute(f"ALTER TABLE aggregates_usagelog DETACH PARTITION {name}")
            cursor.execute(f"ALTER TABLE {name} RENAME TO proof_detached")
            cursor.execute(f"ALTER INDEX {name}_once RENAME TO proof_detached_once")
        else:
            cursor.execute(f"DROP TABLE {name}")


def bring_back(month: date) -> bool:
    """Attach the month again; not if it was made anew meanwhile."""
    start, end = bounds_of(month)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_out()
        if month in existing_months():
            cursor.execute("DROP TABLE proof_detached")
            return False
        name = partition_name(month)
        cursor.execute(
            "DELETE FROM proof_aside AS call USING proof_detached AS back "
            "WHERE call.id = back.id AND call.timestamp = back.timestamp"
        )
        cursor.execute(f"ALTER TABLE proof_detached RENAME TO {name}")
        cursor.execute(f"ALTER INDEX proof_detached_once RENAME TO {name}_once")
        cursor.execute(
            f"ALTER TABLE aggregates_usagelog ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
        return True
