"""What lets strangers in, or keeps people out, where others reach the site (`--deploy`)."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError, connection

from aggregates.models import User
from aggregates.ops.demo import login

Check = Callable[..., Iterable[CheckMessage]]


def proxies(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if not settings.HTTPS or settings.TRUSTED_PROXIES:
        return []
    return [
        Warning(
            "HTTPS is 1, so a proxy is in front of the site, and TRUSTED_PROXIES is 0.",
            hint="Everybody seems to come from the proxy's address then, and a stranger who guesses passwords keeps "
            "all others from logging in. Set TRUSTED_PROXIES to the number of proxies that add to X-Forwarded-For.",
            id="aggregates.W026",
        )
    ]


def login_of_the_demo(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Silent before the first migration, and where the database does not answer: other checks tell of that."""
    try:
        if User._meta.db_table not in connection.introspection.table_names() or not (words := login.warning()):
            return []
    except DatabaseError:
        return []
    return [Warning(words, hint="Its password was printed, and may be in logs.", id="aggregates.W027")]


STRANGERS: tuple[Check, ...] = (proxies, login_of_the_demo)
