"""A standby that reads come from: a copy of the whole database that replays the primary's journal.

It is read only where it is as new as the primary, so whoever reads cannot tell which of the two it was.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, Error, connection, connections
from psycopg.sql import SQL, Literal

from aggregates.db.ailing import state_of
from aggregates.db.limits import LOCK_SECONDS, WEB_SECONDS
from aggregates.db.reads import ReadOutcome, count_read
from aggregates.db.sql import text
from aggregates.models import UsageLog

ALIAS = "standby"  # in DATABASES
PATIENCE = 0.1  # seconds that a read waits for the standby to replay what the primary had written
STEP = 0.002  # seconds after which it looks again
HURRY = 1.0  # seconds for which nobody waits after somebody waited in vain
PAUSE = 5.0  # seconds for which a standby that did not answer is not asked again
CANCELLED = ("40001", "40P01")  # SQLSTATE of a read that stood in the way of replay
GONE = ("08", "57P")  # how the SQLSTATE of a server that goes, or is gone, begins; it may have none

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)


class Identity(NamedTuple):
    """What two servers have in common of which one is the other's standby, and which are asked for the same database:
    the cluster, its history, the database and the log in it."""

    cluster: int
    timeline: int | None  # of the primary: None where it is a standby itself
    database: int
    log: int | None


# The place where the primary writes its journal next. Not how far it is written: a call that was committed with
# synchronous_commit = off is seen by all before it is written. The name of a file tells the timeline; what the control
# file says may be from before the standby was promoted.
_PRIMARY = SQL("""
    SELECT lsn::text, system_identifier, ('x' || left(pg_walfile_name(lsn), 8))::bit(32)::int, {same}
    FROM (SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END) AS primary_ (lsn),
         pg_control_system()
""")
# A former standby that was promoted has replayed much, and is none any more.
_STANDBY = SQL("""
    SELECT pg_is_in_recovery(), COALESCE(pg_last_wal_replay_lsn() >= %s::pg_lsn, false), system_identifier, timeline_id,
           {same}, set_config('statement_timeout', {statement}, false), set_config('lock_timeout', {lock}, false)
    FROM pg_control_system(), pg_control_checkpoint()
""")
_SAME = SQL(
    "(SELECT oid FROM pg_database WHERE datname = current_database())::bigint, to_regclass({})::oid::bigint"
).format(Literal(UsageLog._meta.db_table))
PRIMARY = text(_PRIMARY.format(same=_SAME))
STANDBY = text(_STANDBY.format(same=_SAME, statement=Literal(f"{WEB_SECONDS}s"), lock=Literal(f"{LOCK_SECONDS}s")))


class Pauses:
    """Until when, by time.monotonic(), this process does not ask the standby, or does not wait for it."""

    def __init__(self) -> None:
        self.down_until = 0.0
        self.hurried_until = 0.0


pauses = Pauses()


def is_there() -> bool:
    """Say whether a standby is set."""
    return ALIAS in connections.settings


def prefer_standby(read: Callable[P, R]) -> Callable[P, R]:
    """Have a function that only reads read the standby where that is as new as the primary, else the primary.

    What fails on the standby is done once more on the primary, from the beginning. Within a transaction, or another
    such function, it reads where that does.
    """

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_there() or connection.alias == ALIAS or connection.in_atomic_block:
            return read(*args, **kwargs)
        outcome = _look()
        try:
            if outcome is ReadOutcome.STANDBY:
                with _in_place_of_primary():
                    return read(*args, **kwargs)
        except Error as error:
            outcome = _why(error)
            _forget()
        finally:
            count_read(outcome)
        return read(*args, **kwargs)

    return reading


def examine(seconds: float) -> tuple[ReadOutcome, str]:
    """Say where a read would end that waits for so many seconds, and what the matter with the standby is, in words that
    name no setting; for what is asked only where there is one."""
    try:
        place, identity = _position()
    except Error as error:
        return ReadOutcome.FAILED, f"cannot be compared with the primary ({state_of(error) or 'no connection'})"
    try:
        is_standby, is_new, found = _compare(place, identity, seconds)
    except Error as error:
        _forget()
        if state_of(error) in CANCELLED:
            return ReadOutcome.BEHIND, "ended the question what it has, which stood in the way of its replay"
        return ReadOutcome.DOWN, f"does not answer ({state_of(error) or 'no connection'})"
    if words := _differences(is_standby, identity, found):
        return ReadOutcome.STRANGER, words
    if not is_new:
        return ReadOutcome.BEHIND, "has not replayed what the primary had written"
    return ReadOutcome.STANDBY, ""


def _look() -> ReadOutcome:
    """Say where to read now."""
    now = time.monotonic()
    if now < pauses.down_until:
        return ReadOutcome.DOWN
    is_hurried = now < pauses.hurried_until
    outcome, _ = examine(0.0 if is_hurried else PATIENCE)
    if outcome is ReadOutcome.DOWN:
        pauses.down_until = time.monotonic() + PAUSE
    if outcome is ReadOutcome.BEHIND and not is_hurried:
        pauses.hurried_until = time.monotonic() + HURRY
    return outcome


def _position() -> tuple[str | None, Identity]:
    """Ask the primary how far its journal goes, which holds whatever anybody has seen until now."""
    with connection.cursor() as cursor:
        cursor.execute(PRIMARY)
        place, *identity = cursor.fetchone()
        return place, Identity(*identity)


def _compare(place: str | None, identity: Identity, seconds: float) -> tuple[bool, bool, Identity]:
    """Wait for at most so many seconds until the standby has replayed the journal up to a place; say whether it is a
    standby at all, whether it has, and which it is."""
    give_up = time.monotonic() + seconds
    while True:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(STANDBY, [place])
            is_standby, is_new, *rest = cursor.fetchone()
        found = Identity(*rest[: len(Identity._fields)])
        if is_new or not is_standby or found != identity or time.monotonic() >= give_up:
            return is_standby, is_new, found
        time.sleep(STEP)


def _differences(is_standby: bool, expected: Identity, found: Identity) -> str:
    if found.cluster != expected.cluster:
        return "is a server of its own, and holds another database"
    if not is_standby:
        return "is no standby: it is a primary itself"
    if found.database != expected.database:
        return "is a standby of the same server, but asked for another of its databases"
    if expected.timeline is None:
        return "is one of a server that is a standby itself"
    if found.timeline != expected.timeline:
        return (
            f"is on timeline {found.timeline}, the primary on {expected.timeline}: it follows another primary, or has "
            "made no restart point since the last failover"
        )
    return "sees no log where the primary has one" if found.log != expected.log else ""


@contextmanager
def _in_place_of_primary() -> Iterator[None]:
    """Have this thread's reads go to the standby: whatever asks for the connection by its name gets that one."""
    primary, standby = connections[DEFAULT_DB_ALIAS], connections[ALIAS]
    connections[DEFAULT_DB_ALIAS] = standby
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = primary
        if standby.in_atomic_block:  # of a generator that nobody has closed
            _forget()


def _why(error: Error) -> ReadOutcome:
    """Say what became of a read that the standby failed."""
    state = state_of(error)
    if state in CANCELLED:
        return ReadOutcome.CANCELLED
    if not state or state.startswith(GONE):
        return ReadOutcome.DOWN
    words = "A read failed on the standby, and is done again on the primary: %s %s."
    logger.warning(words, type(error.__cause__ or error).__name__, state)
    return ReadOutcome.FAILED


def _forget() -> None:
    """Drop this thread's connection to the standby, whatever state it is in."""
    dropped: Any = connections[ALIAS]
    with suppress(Error):
        dropped.close()
    del connections[ALIAS]
