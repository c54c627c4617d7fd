"""How often passwords may be tried: counted in the database, so exactly, whichever worker is asked, and before hashing.

An address has so many wrong attempts for all accounts, and fewer for one. Attempts at an account from everywhere never
close it, or any stranger could lock its owner out: they only make each address wait between its attempts.
"""

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.utils.crypto import salted_hmac
from psycopg.sql import SQL

from aggregates.accounts.addresses import network_of
from aggregates.db.sql import table, text
from aggregates.domain.formats import plural
from aggregates.models import AttemptCount

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many attempts within `seconds`, which begin with the first of them."""

    name: str
    most: int
    seconds: int

    def key(self, *parts: str) -> str:
        """Name what is counted; the table then has no names or addresses, and nobody can look them up in it."""
        return salted_hmac(f"attempts: {self.name}", "\0".join(parts), algorithm="sha256").hexdigest()


OF_ADDRESS = Limit("of an address", 30, 600)
OF_BOTH = Limit("at an account from an address", 10, 600)
AT_ACCOUNT = Limit("at an account", 20, 600)  # beyond that the next one holds, too
SLOW = Limit("at an account from an address, slowly", 1, 30)
RESETS_OF_ADDRESS = Limit("resets of an address", 10, 3600)
RESETS_OF_ACCOUNT = Limit("resets of an account", 3, 3600)
SIGN_INS_OF_ADDRESS = Limit("sign-ins of an address", 60, 600)  # of which each asks the provider, or begins a session
CODES_OF_ACCOUNT = Limit("codes of an account", 20, 3600)  # only who knows the password gets to try codes
CODE = Limit("a code", 1, 180)  # longer than any is good

COUNT = text(
    SQL(
        """
        INSERT INTO {} AS counted (key, until, number)
        SELECT key, statement_timestamp() + seconds * interval '1 second', GREATEST(%(change)s, 0)
        FROM unnest(%(keys)s::text[], %(seconds)s::int[]) AS given (key, seconds) ORDER BY key
        ON CONFLICT (key) DO UPDATE SET
            number = GREATEST(
                %(change)s + CASE WHEN counted.until > statement_timestamp() THEN counted.number ELSE 0 END, 0
            ),
            until = CASE WHEN counted.until > statement_timestamp() THEN counted.until ELSE excluded.until END
        RETURNING key, number, ceil(extract(epoch FROM until - statement_timestamp()))::int
        """
    ).format(table(AttemptCount))
)
FORGET = text(SQL("DELETE FROM {} WHERE until < statement_timestamp()").format(table(AttemptCount)))


class TooManyAttempts(Exception):
    """There were too many attempts; the message says so to people, and `seconds` when the next may come."""

    def __init__(self, seconds: int) -> None:
        self.seconds = max(1, seconds)
        wait = plural(self.seconds, "second") if self.seconds < 90 else plural(-(-self.seconds // 60), "minute")
        super().__init__(f"Too many attempts: try again in {wait}.")


class Count(NamedTuple):
    limit: Limit
    number: int
    seconds: int

    @property
    def exceeded(self) -> bool:
        return self.number > self.limit.most


Keys = dict[str, Limit]


def admit(account: str, address: str) -> Keys:
    """Count an attempt to prove that one owns an account; raises TooManyAttempts.

    `account` is what was given as its name, whether there is one or not. Give back what is returned if the proof holds.
    """
    account, network = account.strip().casefold(), network_of(address)
    keys = {
        OF_ADDRESS.key(network): OF_ADDRESS,
        OF_BOTH.key(account, network): OF_BOTH,
        AT_ACCOUNT.key(account): AT_ACCOUNT,
    }
    counts = _count(keys)
    if any(count.limit is AT_ACCOUNT and count.exceeded for count in counts):
        slow = {SLOW.key(account, network): SLOW}
        counts += _count(slow)
        keys |= slow
    _check([count for count in counts if count.limit is not AT_ACCOUNT], account, address)
    return keys


def give_back(keys: Keys) -> None:
    """Take an attempt back that was no wrong one."""
    _count(keys, change=-1)


def admit_reset(account: str, address: str) -> None:
    """Count a request for a mail that resets a password; raises TooManyAttempts."""
    of_address = RESETS_OF_ADDRESS.key(network_of(address))
    of_account = RESETS_OF_ACCOUNT.key(account.strip().casefold())
    admit_all({of_address: RESETS_OF_ADDRESS, of_account: RESETS_OF_ACCOUNT}, account, address)


def admit_all(keys: Keys, account: str, address: str = "") -> None:
    """Count something that is limited in these ways; raises TooManyAttempts. The account and the address are for the
    log."""
    _check(_count(keys), account, address)


def admit_code(account: str, address: str) -> Keys:
    """Count an attempt at a code of a second factor, which few digits have; raises TooManyAttempts."""
    keys = {
        OF_ADDRESS.key(network_of(address)): OF_ADDRESS,
        CODES_OF_ACCOUNT.key(account.strip().casefold()): CODES_OF_ACCOUNT,
    }
    _check(_count(keys), account, address)
    return keys


def admit_passkey(address: str) -> Keys:
    """Count an attempt to log in with a passkey alone, which names its account itself; raises TooManyAttempts."""
    keys = {OF_ADDRESS.key(network_of(address)): OF_ADDRESS}
    _check(_count(keys), "-", address)
    return keys


def admit_sign_in(address: str) -> None:
    """Count what makes this site ask the sign-in provider, or a passkey; raises TooManyAttempts."""
    _check(_count({SIGN_INS_OF_ADDRESS.key(network_of(address)): SIGN_INS_OF_ADDRESS}), "-", address)


def use_code(account: str, code: str) -> bool:
    """Note that a code was used; say whether it was the first time, whichever worker asks."""
    (count,) = _count({CODE.key(account.strip().casefold(), "".join(code.split())): CODE})
    return not count.exceeded


def forget() -> None:
    """Delete the counts of periods that are over."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET)


def shortened(account: str) -> str:
    """Name an account in a log: people type their passwords into the wrong field, too."""
    return f"{ascii(account.strip()[:3])[1:-1]}..."


def _count(keys: Keys, change: int = 1) -> list[Count]:
    """Add to the counts, each exactly once, whoever else counts at the same time."""
    asked: dict[str, Any] = {
        "keys": list(keys),
        "seconds": [limit.seconds for limit in keys.values()],
        "change": change,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, asked)
        return [Count(keys[key], number, seconds) for key, number, seconds in cursor.fetchall()]


def _check(counts: list[Count], account: str, address: str) -> None:
    exceeded = [count for count in counts if count.exceeded]
    for count in exceeded:
        if count.number == count.limit.most + 1:  # once, however many follow
            logger.warning(
                "Too many attempts %s: account %s, address %s", count.limit.name, shortened(account), address or "-"
            )
    if exceeded:
        raise TooManyAttempts(max(count.seconds for count in exceeded))
