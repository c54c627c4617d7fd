"""Sessions in the database that end: some time after their last use, and some time after the log-in, used or not."""

import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.db import DatabaseError
from django.utils import timezone

USED_EVERY = 600  # seconds after which another use is noted: a page then writes nothing, as a rule
BEGUN, USED = "begun", "used"


class SessionStore(DatabaseSessions):
    """A session that lasts SESSION_COOKIE_AGE seconds without use, and SESSION_LONGEST since the log-in.

    The row in the database says when it ends; the cookie stays for as long as it may last at most.
    """

    def load(self) -> dict[str, Any]:
        """Read the session, and note now and then that it is used; what the version before began, begins now."""
        row = self._get_session_from_db()  # type: ignore[attr-defined]
        if not row:
            return {}
        data: dict[str, Any] = self.decode(row.session_data)
        now = time.time()
        if data and now - data.get(USED, 0) > USED_EVERY:
            data = {BEGUN: now, **data, USED: now}
            as_read = self.model.objects.filter(pk=row.pk, session_data=row.session_data)
            with suppress(DatabaseError):  # pages are answered where nothing can be written, too
                as_read.update(session_data=self.encode(data), expire_date=self._end(data[BEGUN]))
        return data

    def begin(self) -> None:
        """Note that somebody logged in."""
        self[BEGUN] = self[USED] = time.time()

    def end_in(self, seconds: int) -> None:
        """Have it end so many seconds from now, used or not: it is nobody's."""
        self[BEGUN] = time.time() - settings.SESSION_LONGEST + seconds

    def get_expiry_date(self, **_: Any) -> datetime:
        """Return when it ends unless it is used: what the row says."""
        return self._end(self.get(BEGUN, time.time()))

    def get_expiry_age(self, **_: Any) -> int:
        """Return the seconds until it ends in any case: what the cookie says."""
        return max(0, int(self.get(BEGUN, time.time()) + settings.SESSION_LONGEST - time.time()))

    @staticmethod
    def _end(begun: float) -> datetime:
        left = min(settings.SESSION_COOKIE_AGE, begun + settings.SESSION_LONGEST - time.time())
        return timezone.now() + timedelta(seconds=left)
