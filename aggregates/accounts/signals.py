"""What happens whenever somebody logs in or fails to, by whichever page."""

import logging
from datetime import timedelta
from typing import Any

from allauth.account.signals import password_changed, password_reset
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.functions import Now
from django.http import HttpRequest

from aggregates.accounts.addresses import client_address
from aggregates.accounts.attempts import shortened
from aggregates.accounts.sessions import SessionStore
from aggregates.db import audit
from aggregates.models import AuditEntry, Event, Organization, User

MOST_FAILURES = 1_000  # log-ins that fail, of which there are entries of an organization in an hour

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
    user = User.objects.named(account).first()
    whose = [each for each in _logs_of(user) if _failures_of(each) < MOST_FAILURES]
    if whose:  # nobody knows who made the attempt: it is about the account
        audit.write_for(whose, Event.LOG_IN_FAILED, about=user.pk if user else None)


def _write(event: Event, user: User) -> None:
    """Write what somebody did with the own account."""
    audit.write_for(_logs_of(user), event, about=user.pk, user=user)


def _logs_of(user: User | None) -> list[Organization | None]:
    """Whose logs tell of an account: its organizations', or the platform's."""
    organizations = Organization.objects.in_use().filter(members=user) if user else ()
    return [*organizations] or [None]


def _failures_of(organization: Organization | None) -> int:
    """Count the latest entries of failed log-ins, as far as it matters: strangers cannot fill the disk with them."""
    latest = AuditEntry.objects.filter(
        organization=organization, event=Event.LOG_IN_FAILED, at__gt=Now() - timedelta(hours=1)
    )
    return latest[:MOST_FAILURES].count()


def connect_signals() -> None:
    user_logged_in.connect(begin_session, dispatch_uid="begin_session")
    user_logged_in.connect(write_log_in, dispatch_uid="write_log_in")
    password_changed.connect(write_password, dispatch_uid="write_password")
    password_reset.connect(write_password, dispatch_uid="write_password")
    user_login_failed.connect(log_failure, dispatch_uid="log_failure")
