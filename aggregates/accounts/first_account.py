"""The first account of an installation: a superuser's, made in a browser by whoever has the link of the site's start.

The link is signed with the site's secret key, so nothing of it is kept anywhere. It is good for a day, and only while
there is no account at all: the first that is made with it ends it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.core import signing
from django.db import transaction

from aggregates.db.locks import Lock, take
from aggregates.models import User

GOOD_FOR = timedelta(days=1)
WHAT, SALT = "first account", "aggregates.accounts.first_account"


class NotOpen(LookupError):
    """The link is good no longer, or never was."""


def is_open() -> bool:
    """Say whether there is no account yet."""
    return not User.objects.exists()


def new_token() -> str:
    """Make what the link has in it."""
    return signing.dumps(WHAT, salt=SALT)


def check(token: str) -> None:
    """Let pass a link that is good now; raises NotOpen."""
    try:
        good = signing.loads(token, salt=SALT, max_age=GOOD_FOR) == WHAT
    except signing.BadSignature:
        good = False
    if not good or not is_open():
        raise NotOpen


@contextmanager
def claim(token: str) -> Iterator[None]:
    """Make the account within, in a transaction that nobody else with the link is in; raises NotOpen."""
    with transaction.atomic():
        take(Lock.FIRST_ACCOUNT)
        check(token)
        yield
