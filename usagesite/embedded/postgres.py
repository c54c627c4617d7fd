"""The server's own processes: they make its cluster, start and stop it, as the right user."""

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from usagesite.embedded import account
from usagesite.embedded.server import PORT, Place, ServerError, binary, lock, open_lock

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "max_locks_per_transaction": "256",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements hold people's data, and the site reports its errors itself
    "lc_messages": "C",  # base.is_final reads them
}
THROWAWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

logger = logging.getLogger(__name__)


class Server:
    """One server; find_or_start takes over a server that outlived its keeper."""

    def __init__(self, place: Place, throwaway: bool) -> None:
        self.place = place
        self.throwaway = throwaway
        self.user = account.find(place)
        self.pid = 0
        self.process: subprocess.Popen[str] | None = None
        self.watched = open_lock(place.processes)
        self.inherited = open_lock(place.processes)  # passed on, so held as long as one of the processes lives

    def find_or_start(self) -> None:
        if self.user:
            account.let_through(self.place, self.user)
        if self.find_running():
            logger.info("Taking over the server that an earlier keeper left behind.")
        else:
            self.make_cluster()
            self.make_sockets()
            for stale in self.place.pid_files:  # no process held the lock, whoever has their process ids by now
                stale.unlink(missing_ok=True)
            self.launch()
        os.close(self.inherited)
        self.pid = int(self.place.pid_files[0].read_text().split()[0])

    def find_running(self) -> bool:
        """Return True where a server runs; wait for one that is ending, lock its folder and return False."""
        waiting = False
        while not lock(self.inherited):
            if self.is_ready():
                return True
            if not waiting:
                logger.info("Waiting for the processes of an earlier server to end.")
                waiting = True
            time.sleep(0.1)
        return False

    def make_cluster(self) -> None:
        if self.place.cluster.exists():
            return
        new = self.place.cluster.with_name("cluster.new")  # renamed when it is whole
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self.give(new)
        # The collation comes with PostgreSQL: the same order on every machine, whatever its locales.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        speed = ("--no-sync",) if self.throwaway else ()
        self.run("initdb", "-D", new, "--username=postgres", "--auth=trust", *locale, *speed)
        self.run("postgres", "--single", "-D", new, "postgres", input=b"CREATE DATABASE usagesite")
        new.rename(self.place.cluster)

    def make_sockets(self) -> None:
        self.place.sockets.mkdir(mode=0o700, exist_ok=True)
        self.place.check_sockets()
        self.give(self.place.sockets)

    def give(self, folder: Path) -> None:
        if self.user:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)

    def launch(self) -> None:
        settings = SETTINGS | (THROWAWAY_SETTINGS if self.throwaway else {})
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [binary("postgres")]
        command += ["-D", self.place.cluster, "-k", self.place.sockets, "-p", PORT, *options]
        self.process = process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **self.conditions())
        while not self.is_ready():
            if process.poll() is not None:
                raise ServerError(f"postgres ended with exit code {process.returncode}.")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        server = ["-h", str(self.place.sockets), "-p", PORT, "-U", "postgres", "-d", "postgres"]
        return subprocess.run([binary("pg_isready"), "-q", *server], check=False).returncode == 0

    def is_alive(self) -> bool:
        if not lock(self.watched):
            return True
        fcntl.flock(self.watched, fcntl.LOCK_UN)
        return False

    def stop(self) -> None:
        """End the server: in order, and at once if that takes too long."""
        for request, seconds in ((signal.SIGINT, 30), (signal.SIGQUIT, 10)):
            give_up = time.monotonic() + seconds
            if self.is_alive():
                self.send(request)
            while self.is_alive() and time.monotonic() < give_up:
                time.sleep(0.05)
        if self.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)  # or it stays a zombie in a container without an init process
        if self.throwaway:
            shutil.rmtree(self.place.data, ignore_errors=True)
        if self.place.data not in self.place.sockets.parents:
            shutil.rmtree(self.place.sockets, ignore_errors=True)

    def send(self, request: signal.Signals) -> None:
        if self.process:
            self.process.send_signal(request)  # never to another process, as by a number that was used again
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, request)

    def run(self, name: str, *arguments: str | Path, **options: Any) -> None:
        command = [binary(name), *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, **self.conditions(), **options)
        if done.returncode:
            raise ServerError(f"{name} ended with exit code {done.returncode}.")

    def conditions(self) -> dict[str, Any]:
        """Say how the processes run: as their user, and without the site's secrets in the environment."""
        conditions: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": os.defpath, "LC_ALL": "C"},
            "pass_fds": [self.inherited],
        }
        if self.user:
            conditions |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return conditions
