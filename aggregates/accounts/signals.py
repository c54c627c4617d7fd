"""What happens whenever somebody logs in or fails to, by whichever page."""

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest

from aggregates.accounts.addresses import client_address
from aggregates.accounts.sessions import SessionStore

logger = logging.getLogger(__name__)


def begin_session(request: HttpRequest, **_: Any) -> None:
    if isinstance(request.session, SessionStore):
        request.session.begin()


def log_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Leave a line in the log, without the password."""
    given = str(credentials.get("email") or credentials.get("username") or "")
    peer = client_address(request.META) if request else ""
    logger.warning("A log-in failed.", extra={"fields": {"account": account_of(given), "peer": peer or "-"}})


def account_of(given: str) -> str:
    """Say which account was tried; nothing of what is no e-mail address, as it may be a password in the wrong field."""
    try:
        validate_email(given)
    except ValidationError:
        return ""
    return given


def connect_signals() -> None:
    user_logged_in.connect(begin_session, dispatch_uid="begin_session")
    user_login_failed.connect(log_failure, dispatch_uid="log_failure")
