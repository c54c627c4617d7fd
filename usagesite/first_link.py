"""What a site that has no account yet prints when it starts: a link that makes the first one, in a browser."""

import sys
from threading import Thread

from django.conf import settings
from django.db import DatabaseError, connection
from django.urls import reverse

from aggregates.accounts import first_account
from aggregates.domain.hosts import THIS_MACHINE
from usagesite.env import with_port

ALL = ("0.0.0.0", "::")  # noqa: S104 (what is listened to, and no address to go to)


def print_beside() -> None:
    """Print the link, if there is to be one, beside what else goes on: the database may take its time."""
    Thread(target=_print, name="first link", daemon=True).start()


def message() -> str:
    """Say where the first account is made; "" where there is one."""
    if not first_account.is_open():
        return ""
    hours = first_account.GOOD_FOR.total_seconds() / 3600
    link = _site() + reverse("first-account", args=[first_account.new_token()])
    return f"There is no account yet. Within {hours:.0f} hours, make the first one, a superuser's, at {link}\n"


def _print() -> None:
    try:
        sys.stdout.write(message())
        sys.stdout.flush()
    except DatabaseError:
        pass  # it is away, or lacks migrations: the site itself says so
    finally:
        connection.close()


def _site() -> str:
    """Guess the site's address, as nobody has asked for it yet: by the first host name that is one."""
    scheme = "https" if settings.HTTPS else "http"
    names = [name for name in settings.ALLOWED_HOSTS if not name.startswith((".", "*")) and name not in THIS_MACHINE]
    if names:
        return f"{scheme}://{names[0]}" if settings.HTTPS else f"{scheme}://{names[0]}:{settings.PORT}"
    return f"{scheme}://{with_port('localhost' if settings.BIND in ALL else settings.BIND, settings.PORT)}"
