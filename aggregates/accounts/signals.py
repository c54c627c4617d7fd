"""What happens whenever somebody logs in or fails to, by whichever page."""

import logging
from typing import Any

from allauth.account.signals import password_changed, password_reset
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from aggregates.accounts.addresses import client_address
from aggregates.accounts.attempts import shortened
from aggregates.accounts.sessions import SessionStore
from aggregates.db import audit
from aggregates.models import Event, Organization, User

logger = logging.getLogger(__name__)


def begin_session(request: HttpRequest, **_: Any) -> None:
    if isinstance(request.session, SessionStore):
        request.session.begin()


def write_log_in(user: User, **_: Any) -> None:
    _write(Event.LOGGED_IN, user)


def write_password(user: User, **_: Any) -> None:
    _write(Event.PASSWORD_CHANGED, user)


def log_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Leave a line in the log, without the password, and an entry of the account, where there is one."""
    account = str(credentials.get("email") or credentials.get("username") or "")
    address = client_address(request.META) if request else ""
    logger.warning("A log-in failed: account %s, address %s", shortened(account), address or "-")
    if user := User.objects.named(account).first():
        _write(Event.LOG_IN_FAILED, user, is_known=False)
    else:
        audit.write(Event.LOG_IN_FAILED)


def _write(event: Event, user: User, *, is_known: bool = True) -> None:
    """Write an entry for each organization of the user, whose admins then see it; for the platform if there is none.

    Of an attempt nobody knows who made it: it is about the account.
    """
    whose = Organization.objects.in_use().filter(members=user)
    audit.write_for(whose, event, about=user.pk, user=user if is_known else None)


def connect_signals() -> None:
    user_logged_in.connect(begin_session, dispatch_uid="begin_session")
    user_logged_in.connect(write_log_in, dispatch_uid="write_log_in")
    password_changed.connect(write_password, dispatch_uid="write_password")
    password_reset.connect(write_password, dispatch_uid="write_password")
    user_login_failed.connect(log_failure, dispatch_uid="log_failure")
