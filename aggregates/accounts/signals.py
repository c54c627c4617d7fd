"""What happens whenever somebody logs in or fails to, by whichever page."""

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from aggregates.accounts.addresses import client_address
from aggregates.accounts.attempts import shortened
from aggregates.accounts.sessions import SessionStore

logger = logging.getLogger(__name__)


def begin_session(request: HttpRequest, **_: Any) -> None:
    if isinstance(request.session, SessionStore):
        request.session.begin()


def log_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Leave a line in the log, without the password."""
    account = str(credentials.get("email") or credentials.get("username") or "")
    address = client_address(request.META) if request else ""
    logger.warning("A log-in failed: account %s, address %s", shortened(account), address or "-")


def connect_signals() -> None:
    user_logged_in.connect(begin_session, dispatch_uid="begin_session")
    user_login_failed.connect(log_failure, dispatch_uid="log_failure")
