"""What happens whenever somebody logs in or fails to, by whichever page."""

import logging
from datetime import timedelta
from typing import Any

from allauth.account.signals import password_changed, password_reset
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.functions import Now
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest

from aggregates.accounts.addresses import client_address
from aggregates.accounts.attempts import shortened
from aggregates.accounts.audit_events import logs_of
from aggregates.accounts.open_sessions import note_session
from aggregates.accounts.sessions import SessionStore
from aggregates.db import audit
from aggregates.models import AuditEntry, Event, Organization, User

MOST_FAILURES = 1_000  # log-ins that fail, of which there are entries of an organization in an hour

logger = logging.getLogger(__name__)


def begin_session(request: HttpRequest, user: User, **_: Any) -> None:
    if isinstance(request.session, SessionStore):
        request.session.begin()
        note_session(request, user)


def follow_session(request: HttpRequest, user: User, **_: Any) -> None:
    """Note the session's new key, which comes with a new password."""
    note_session(request, user)


def write_log_in(user: User, **_: Any) -> None:
    _write(Event.LOGGED_IN, user)


def write_password(user: User, **_: Any) -> None:
    _write(Event.PASSWORD_CHANGED, user)


def write_factor_added(instance: Authenticator, created: bool, **_: Any) -> None:
    """Write it in the transaction of the row; allauth's own signal comes after that."""
    if created:
        _write_factor(Event.FACTOR_ADDED, instance)


def write_factor_removed(instance: Authenticator, origin: Any, **_: Any) -> None:
    """Write it, unless the account goes as a whole."""
    if isinstance(origin, Authenticator) or getattr(origin, "model", None) is Authenticator:
        _write_factor(Event.FACTOR_REMOVED, instance)


def _write_factor(event: Event, factor: Authenticator) -> None:
    audit.write_for(logs_of(factor.user), event, about=factor.user_id, after={"kind": factor.type})


def write_factor_failed(user: User, **_: Any) -> None:
    """Write that somebody proved the password and not the rest; limits keep that from being often."""
    audit.write_for(logs_of(user), Event.FACTOR_FAILED, about=user.pk)


def log_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Leave a line in the log, without the password, and an entry of the account, where there is one."""
    account = str(credentials.get("email") or credentials.get("username") or "")
    address = client_address(request.META) if request else ""
    logger.warning("A log-in failed: account %s, address %s", shortened(account), address or "-")
    user = User.objects.named(account).first()
    whose = [each for each in logs_of(user) if _failures_of(each) < MOST_FAILURES]
    if whose:  # nobody knows who made the attempt: it is about the account
        audit.write_for(whose, Event.LOG_IN_FAILED, about=user.pk if user else None)


def _write(event: Event, user: User) -> None:
    """Write what somebody did with the own account."""
    audit.write_for(logs_of(user), event, about=user.pk, user=user)


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
    password_changed.connect(follow_session, dispatch_uid="follow_session")
    password_reset.connect(write_password, dispatch_uid="write_password")
    post_save.connect(write_factor_added, sender=Authenticator, dispatch_uid="write_factor_added")
    post_delete.connect(write_factor_removed, sender=Authenticator, dispatch_uid="write_factor_removed")
    authentication_failed.connect(write_factor_failed, dispatch_uid="write_factor_failed")
    user_login_failed.connect(log_failure, dispatch_uid="log_failure")
