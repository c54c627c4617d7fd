"""The login of the demo: where it is kept, where it may be told, and whether it still works."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import check_password

from aggregates.domain.hosts import THIS_MACHINE
from aggregates.models import Organization, User
from aggregates.ops.demo.cast import STORIES

EMAIL = "admin@example.com"
WARNING = (
    f"The login of the demo, {EMAIL}, is a superuser's and works beside organizations that are not the demo's. "
    "Remove the demo with manage.py demo --remove, or change that user's password."
)


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    password: str

    def works(self) -> bool:
        user = User.objects.filter(email=self.email, is_active=True).first()
        return user is not None and _fits(self.password, user.password)


@lru_cache(maxsize=8)
def _fits(password: str, encoded: str) -> bool:
    """Compare them once: hashing takes a while, and staff look at the page that asks often."""
    return check_password(password, encoded)


def file() -> Path:
    return Path(settings.DATA_DIR, "demo-login")


def write_login(path: Path, login: Login) -> None:
    """Write the login, for its owner's eyes only, also while it is being written."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(f"E-mail: {login.email}\nPassword: {login.password}\n")


def read_login(path: Path) -> Login | None:
    """Return the login that was made before, if the file is there and as we wrote it."""
    try:
        lines = path.read_text().splitlines()
        return Login(lines[0].removeprefix("E-mail: "), lines[1].removeprefix("Password: "))
    except (OSError, IndexError):
        return None


def may_be_told() -> bool:
    """Say whether the password may be printed: the site is the demo alone, on this machine.

    That is, its database is the embedded one, it answers to names of this machine only and without a proxy that speaks
    TLS, and it has no organization but the demo's.
    """
    here = set(settings.ALLOWED_HOSTS) <= THIS_MACHINE and not settings.HTTPS
    return here and "EMBEDDED" in settings.DATABASES["default"] and not has_others()


def has_others() -> bool:
    """Say whether there are organizations that are not the demo's."""
    return Organization.objects.exclude(slug__in=[story.slug for story in STORIES]).exists()


def warning() -> str:
    """Say that the demo's login works beside other organizations; nothing where it does not.

    Where the file that has the password is gone, its user is taken to have it still.
    """
    user = User.objects.filter(email=EMAIL, is_active=True, is_superuser=True).first()
    if user is None or not user.has_usable_password() or not has_others():
        return ""
    login = read_login(file())
    return WARNING if login is None or _fits(login.password, user.password) else ""
