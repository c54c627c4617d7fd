"""A process that has loaded the site, and runs commands in forks of itself: loading takes longer than most of them.

A command is a process of its own, with its own connections and status, that ends as any other does.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BASE = Path(__file__).parents[1]


class WarmProcess:
    """Holds neither a connection nor a lease of the database's server: only its forks do."""

    def __init__(
        self,
        environment: dict[str, str],
        *,
        prefix: tuple[str, ...] = (),
        code: Path = BASE,
        modules: tuple[str, ...] = (),
    ) -> None:
        """Load the site whose code is in a folder, or only some modules; `prefix` runs what comes behind it."""
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-P", __file__, *modules],
            cwd=code,
            env={**environment, "PYTHONPATH": str(code)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, **environment: str) -> tuple[int, str, str]:
        """Run Python with these arguments, and with more environment variables: exit status, output and complaints."""
        assert self.process.stdin and self.process.stdout
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            asked = {"arguments": [*map(str, arguments)], "environment": environment, "streams": [str(out), str(err)]}
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            status = int(self.process.stdout.readline())
            return status, out.read_text(), err.read_text()

    def end(self) -> None:
        self.process.communicate()


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    if len(sys.argv) == 1:
        load_site()
    for line in sys.stdin:
        if child := os.fork():
            sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
            sys.stdout.flush()
        else:
            run(**json.loads(line))
            return


def load_site() -> None:
    import django

    django.setup()
    from django.conf import settings

    importlib.import_module(settings.ROOT_URLCONF)


def run(arguments: list[str], environment: dict[str, str], streams: list[str]) -> None:
    """Do as `python ARGUMENTS` would, with files for output and complaints."""
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    files: list[Any] = [os.open(path, os.O_WRONLY | os.O_CREAT, 0o600) for path in streams]
    for number, file in enumerate((nothing, *files)):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0)  # noqa: SIM115 (it ends with this process)
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
