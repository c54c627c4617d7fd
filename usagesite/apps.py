"""What the site takes of installed packages."""

from allauth.usersessions.apps import UserSessionsConfig
from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    # Of what npm installed only scripts are served.
    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "package.json", "LICENSE", "README.md"]


class UserSessions(UserSessionsConfig):  # type: ignore[misc]
    """The table of whose a session is. aggregates.accounts.signals notes it, also where no page logs in."""

    def ready(self) -> None:
        pass
