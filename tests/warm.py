"""Processes that have loaded what commands need, and run each in a fork of themselves: loading takes longer than most
commands do.

A command is a process of its own, with its own connections and status, that ends as any other does.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Any

BASE = Path(__file__).parents[1]
# What the site loads of others that asks for no settings of its own, nor the environment, when it is loaded.
LIBRARIES = (
    *("asyncio", "csp.constants", "django", "django.core.management", "django.contrib.staticfiles.storage"),
    *("django.contrib.postgres.aggregates", "django.db.backends.postgresql.base", "django.db.models", "django.forms"),
    *(
        "django.middleware.csrf",
        "django.template",
        "django.test",
        "django.urls",
        "django.views.generic",
        "fido2.server",
    ),
    *("google.protobuf.json_format", "gunicorn.app.wsgiapp", "gunicorn.asgi.protocol", "grpc", "markdown_it"),
    *("multiprocessing.queues", "opentelemetry.proto.collector.logs.v1.logs_service_pb2"),
    *("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", "whitenoise.middleware", "xlsxwriter"),
    *("opentelemetry.proto.collector.trace.v1.trace_service_pb2", "psutil", "psycopg", "psycopg_binary", "requests"),
)


class Fork(subprocess.Popen[str]):
    """A command at work, as Popen has those that it started itself."""

    def __init__(self, report: int, pipes: dict[str, IO[str]]) -> None:
        self._report = os.fdopen(report)  # its process id, and in the end its status
        self.stdin, self.stdout, self.stderr = (pipes.get(name) for name in ("stdin", "stdout", "stderr"))
        self.args = ()
        self.returncode: int | None = None  # type: ignore[assignment]
        self.pid = int(self._report.readline())

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
            with self._report:
                self.returncode = int(self._report.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[Any, Any]:
        with ThreadPoolExecutor(2) as threads:
            pipes = [pipe if pipe and not pipe.closed else None for pipe in (self.stdout, self.stderr)]
            said, complained = (pipe and threads.submit(pipe.read) for pipe in pipes)
            if self.stdin and not self.stdin.closed:
                self.stdin.write(input or "")
                self.stdin.close()
            self.wait(timeout)
        with self:  # closes its pipes
            return said and said.result(), complained and complained.result()


class WarmProcess:
    """Holds neither a connection nor a lease of the database's server: only its forks do."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        prefix: tuple[str, ...] = (),
        code: Path = BASE,
        modules: tuple[str, ...] = (),
        python: str | Path = sys.executable,
    ) -> None:
        """Load the site whose code is in a folder, or only some modules; `prefix` runs what comes behind it."""
        self.control, theirs = socket.socketpair()
        self.lock = threading.Lock()
        self.environment = given = {**environment, "PYTHONPATH": str(code)}
        self.code = code
        with theirs:
            if prefix or modules:
                command = [*prefix, python, "-P", __file__, *modules]
                self.process = subprocess.Popen(
                    command, cwd=code, env=given, stdin=theirs, stdout=subprocess.DEVNULL, text=True
                )
            else:
                self.process = libraries().start(__file__, cwd=code, env=given, stdin=theirs, stdout=subprocess.DEVNULL)

    def start(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        start_new_session: bool = False,
    ) -> Fork:
        """Start Python with these arguments, as Popen does; without `env` in the environment that this was made in."""
        ours, theirs = os.pipe()
        pipes: dict[str, IO[str]] = {}
        files = [descriptor(stdin, pipes, "stdin"), descriptor(stdout, pipes, "stdout")]
        files.append(os.dup(files[1]) if stderr == subprocess.STDOUT else descriptor(stderr, pipes, "stderr"))
        asked = {"arguments": [*map(str, arguments)], "environment": {**(env or self.environment)}}
        asked |= {"folder": str(cwd or self.code), "in_session": start_new_session}
        line = json.dumps(asked).encode() + b"\n"
        with self.lock:
            sent = socket.send_fds(self.control, [line], [*files, theirs])
            self.control.sendall(line[sent:])
        for file in (*files, theirs):
            os.close(file)
        return Fork(ours, pipes)

    def run(self, *arguments: str | Path, **environment: str) -> tuple[int, str, str]:
        """Run Python with these arguments, and with more environment variables: exit status, output and complaints."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            given = self.environment | environment
            status = self.start(*arguments, env=given, stdin=subprocess.DEVNULL, stdout=out, stderr=err).wait()
            return status, *(file.seek(0) or file.read() for file in (out, err))

    def end(self) -> None:
        self.control.close()
        self.process.wait()


def descriptor(file: Any, pipes: dict[str, IO[str]], name: str) -> int:
    """Return a descriptor for what Popen takes as a file; where it is a pipe, our end is added to the others."""
    number = ("stdin", "stdout", "stderr").index(name)
    if file is None:
        return os.dup(number)
    if file == subprocess.DEVNULL:
        return os.open(os.devnull, os.O_RDWR)
    if file == subprocess.PIPE:
        ends = os.pipe()
        ours, theirs = ends if number else reversed(ends)
        pipes[name] = os.fdopen(ours, "r" if number else "w")
        return theirs
    return os.dup(file if isinstance(file, int) else file.fileno())


@cache
def libraries() -> WarmProcess:
    """Return the process that has loaded what needs no settings; what it runs reads settings and code by itself."""
    made = WarmProcess(os.environ, modules=LIBRARIES)
    atexit.register(made.end)
    return made


# ------------------------------------------------------------------ in the warm process


def main() -> None:
    sys.path.insert(0, os.getcwd())
    for name in sys.argv[1:]:
        importlib.import_module(name)
    if len(sys.argv) == 1:
        load_site()
    gc.freeze()  # what is loaded stays, and is shared
    serve(socket.socket(fileno=os.dup(0)))


def load_site() -> None:
    import django

    django.setup()
    from django.conf import settings

    importlib.import_module(settings.ROOT_URLCONF)


def serve(control: socket.socket) -> None:
    """Run what is asked for, until nobody can ask any more; tell of each its process id and its status."""
    running: dict[int, int] = {}
    ended, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([control, ended], [], [])
        if ended in ready:
            ended.recv(4096)
        tell_of_ended(running)
        if control not in ready:
            continue
        line, files, _, _ = socket.recv_fds(control, 65536, 4)
        while line and not line.endswith(b"\n"):
            line += control.recv(65536)
        if not line:
            return
        *streams, report = files
        if child := os.fork():
            running[child] = report
            os.write(report, b"%d\n" % child)
            for file in streams:
                os.close(file)
        else:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (control, ended, wake):
                other.close()
            for file in (report, *running.values()):
                os.close(file)
            run(streams, **json.loads(line))
            return


def tell_of_ended(running: dict[int, int]) -> None:
    while running:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        os.write(report := running.pop(child), b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(report)


def run(streams: list[int], arguments: list[str], environment: dict[str, str], folder: str, in_session: bool) -> None:
    """Do as `python ARGUMENTS` would in a folder, with other files for input, output and complaints."""
    if in_session:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # as TMPDIR says now
    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    # As Python itself opens them: by lines where a terminal shows them.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (it ends with this process)
    sys.stdout = open(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    first, *rest = arguments
    match first:
        case "-m" | "-c":
            what, *sys.argv[1:] = rest
            sys.argv[0] = first
            if first == "-m":
                runpy.run_module(what, run_name="__main__", alter_sys=True)
            else:
                exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        case _:
            sys.argv[:] = arguments
            runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    main()
