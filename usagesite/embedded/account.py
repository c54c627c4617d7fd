"""The system user that the server runs as when the site runs as root, which PostgreSQL refuses to do."""

import logging
import os
import pwd
import stat
import subprocess
import time
from pathlib import Path

from usagesite.embedded.server import Place, ServerError, binary

NAME = "embedded_postgres"

logger = logging.getLogger(__name__)


def find(place: Place) -> pwd.struct_passwd | None:
    """Find the user to become; None when we are not root and the server runs as ourselves."""
    if os.geteuid() != 0:
        return None
    if place.cluster.exists() and (owner := place.cluster.stat().st_uid) != 0:
        return pwd.getpwuid(owner)  # perhaps made by an ordinary user, before root came
    return find_or_make()


def find_or_make() -> pwd.struct_passwd:
    complaint = ""
    for _ in range(10):  # useradd fails while another one is at work
        try:
            return pwd.getpwnam(NAME)
        except KeyError:
            command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
            try:
                made = subprocess.run(command, capture_output=True, text=True, check=False)
            except FileNotFoundError:
                complaint = "there is no useradd"
                break
            complaint = made.stderr.strip()
            if made.returncode:
                time.sleep(0.5)
    raise ServerError(
        f"PostgreSQL does not run as root, and no user {NAME} could be made for it: {complaint}. "
        "Make that user, or start the site as an ordinary user."
    )


def let_through(place: Place, user: pwd.struct_passwd) -> None:
    """Let the user reach its data and programs: search permission on the folders above, which lists nothing."""
    postgres = Path(binary("postgres"))
    for folder in {*place.cluster.parents, *postgres.parents}:
        if add_permission(folder, stat.S_IXOTH, user):
            logger.info("%s can now be passed through (o+x), so that the user %s gets on.", folder, user.pw_name)
    if postgres.stat().st_mode & stat.S_IXOTH:
        return
    package = postgres.parents[2]  # installed under a strict umask
    for folder in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        logger.info("%s can now be read and run by all, so also by the user %s.", folder, user.pw_name)
        for path in (folder, *folder.rglob("*")):
            executable = path.stat().st_mode & stat.S_IXUSR
            add_permission(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0), user)


def add_permission(path: Path, permission: int, user: pwd.struct_passwd) -> bool:
    """Return whether it was missing."""
    facts = path.stat()
    if facts.st_uid == user.pw_uid or facts.st_mode & permission == permission:
        return False
    path.chmod(stat.S_IMODE(facts.st_mode) | permission)
    return True
