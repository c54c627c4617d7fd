"""Where somebody is logged in: sessions to look at and to end. Django's own table does not say whose they are."""

from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY, logout
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from aggregates.accounts.audit_events import logs_of
from aggregates.accounts.sessions import USED, SessionStore
from aggregates.db import audit
from aggregates.domain import browsers
from aggregates.models import Event, User

NO_ADDRESS = "::"  # of whom no address is known, as on a socket in the file system


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that is good; `address` is where it began, and `used_at` is true to ten minutes."""

    number: int
    browser: str
    address: str
    began_at: datetime
    used_at: datetime
    is_current: bool


def note_session(request: HttpRequest, user: User) -> None:
    """Note whose the request's session is, after a log-in or where its key changed."""
    UserSession.objects.create_from_request(request, user=user)


def sessions_of(user: User, current: str | None) -> list[OpenSession]:
    """List where the user is logged in, the latest use first; `current` is the key of the session that asks."""
    noted = {each.session_key: each for each in UserSession.objects.filter(user=user)}
    rows = Session.objects.filter(pk__in=noted, expire_date__gt=Now())
    found = [_read(noted[row.pk], row, user, current) for row in rows]
    good = [each for each in found if each]
    return sorted(good, key=lambda each: (not each.is_current, -each.used_at.timestamp()))


def end_session(user: User, number: int) -> bool:
    """End one of the user's sessions; say whether there was such a one."""
    return _end(list(UserSession.objects.filter(user=user, pk=number)), user) > 0


def end_others(user: User, current: str | None) -> int:
    """End all of the user's sessions but the one with this key; return how many."""
    return _end(list(UserSession.objects.filter(user=user).exclude(session_key=current)), user)


@transaction.atomic
def end_current(request: HttpRequest, user: User) -> None:
    """End the session of a request, which its owner did not ask for."""
    _write_ended(user, 1)
    logout(request)


def forget() -> int:
    """Delete what was noted of sessions that are no more; return how many."""
    left = Session.objects.filter(pk=OuterRef("session_key"))
    deleted: int = UserSession.objects.filter(~Exists(left)).delete()[0]
    return deleted


@transaction.atomic
def _end(sessions: list[UserSession], user: User) -> int:
    ended, _ = Session.objects.filter(pk__in=[each.session_key for each in sessions]).delete()
    UserSession.objects.filter(pk__in=[each.pk for each in sessions]).delete()
    if ended:
        _write_ended(user, ended)
    return ended


def _write_ended(user: User, sessions: int) -> None:
    audit.write_for(logs_of(user), Event.SESSIONS_ENDED, about=user.pk, after={"rows": sessions})


def _read(noted: UserSession, row: Session, user: User, current: str | None) -> OpenSession | None:
    """Read a session's own data; None where a new password has ended it."""
    data = SessionStore().decode(row.session_data)
    if not constant_time_compare(str(data.get(HASH_SESSION_KEY, "")), user.get_session_auth_hash()):
        return None
    used = data.get(USED)
    used_at = datetime.fromtimestamp(used, UTC) if used else noted.last_seen_at
    address = "" if noted.ip == NO_ADDRESS else noted.ip
    return OpenSession(
        noted.pk, browsers.describe(noted.user_agent), address, noted.created_at, used_at, row.pk == current
    )
