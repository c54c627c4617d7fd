"""Sessions in the database that end: some time after their last use, and some time after the log-in, used or not."""

import time
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions

USED_EVERY = 600  # seconds after which another use is noted: a page then writes nothing, as a rule
BEGUN, USED = "begun", "used"


class SessionStore(DatabaseSessions):
    """A session that lasts SESSION_COOKIE_AGE seconds without use, and SESSION_LONGEST since the log-in."""

    def load(self) -> dict[str, Any]:
        """Read the session; what the version before began, begins now."""
        data = super().load()
        now = time.time()
        if data and now - data.get(USED, 0) > USED_EVERY:
            data = {BEGUN: now, **data, USED: now}
            self.modified = True  # and so its end is put off
        return data

    def begin(self) -> None:
        """Note that somebody logged in."""
        self[BEGUN] = self[USED] = time.time()

    def get_session_cookie_age(self) -> int:
        """Return the seconds until it ends, for the cookie and for the row in the database."""
        idle, longest = int(settings.SESSION_COOKIE_AGE), int(settings.SESSION_LONGEST)
        begun: float | None = self.get(BEGUN)
        return idle if begun is None else max(0, min(idle, int(begun + longest - time.time())))
