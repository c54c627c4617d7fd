"""Try the version before on the tables of this one: does it record, read and roll up rightly while one is deployed?

    DATABASE_URL=postgresql://.../empty python -m tests.upgrade.beside CHECKOUT VERSION

CHECKOUT is a folder with the code of VERSION, whose installation is beside this file; both run with this Python.
"""

import csv
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import BASE
from tests.upgrade.make import HERE, SECRET
from tests.warm import WarmProcess

MAKE = HERE / "make.py"
CALLS = (
    "timestamp,model,operation,user_id,input_tokens,request_id\n"
    "2025-03-10T10:00Z,gpt-5,chat,alice,77,late\n"
    "2025-04-29T12:00Z,o9,search,bob,1000000,new\n"
)
ROLL_UP = ("manage.py", "aggregate_day", "--from", "2025-02-01", "--to", "2025-04-30")
NUMBERS = f"""
import json, runpy, sys
import django; django.setup()
print(json.dumps(runpy.run_path({str(MAKE)!r})["numbers"]()))
"""


class Code:
    """The code of a version, in a folder."""

    def __init__(self, folder: Path, data: Path, database_url: str) -> None:
        ours = {"DJANGO_SETTINGS_MODULE": "usagesite.settings", "SECRET_KEY": SECRET, "USAGESITE_DATA": str(data)}
        ours["DATABASE_URL"] = database_url
        self.warm = WarmProcess({**os.environ, **ours}, code=folder)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and complaints."""
        return self.warm.run(*arguments)

    def numbers(self) -> dict[str, dict[str, list[str]]]:
        status, said, complained = self.run("-c", NUMBERS)
        assert status == 0, complained
        numbers: dict[str, dict[str, list[str]]] = json.loads(said)
        return numbers


def try_beside(checkout: Path, version: str, database_url: str) -> list[str]:
    """Say what goes wrong, in words. The database has to be empty."""
    upgrade(version, database_url)
    return try_on_tables(checkout, database_url)


def upgrade(version: str, database_url: str) -> None:
    """Put the installation of a version into an empty database, and make its tables those of this version."""
    with psycopg.connect(database_url) as database:
        database.execute((HERE / f"{version}.sql").read_text())  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        now = Code(BASE, Path(folder), database_url)
        status, _, complained = now.run("manage.py", "migrate", "--verbosity", "0")
        now.warm.end()
    assert status == 0, complained


def try_on_tables(checkout: Path, database_url: str) -> list[str]:
    """Say what goes wrong on tables of this version, in words."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        before, now = Code(checkout, data / "before", database_url), Code(BASE, data / "now", database_url)
        try:
            return _try(before, now, data / "calls.csv")
        finally:
            before.warm.end()
            now.warm.end()


def _try(before: Code, now: Code, calls: Path) -> list[str]:
    calls.write_text(CALLS)
    wrong = [
        *failure("records", before.run("manage.py", "import_usage", str(calls), "--organization", "acme")),
        *differences("reads", before.numbers(), now.numbers()),
        *failure("rolls up", before.run(*ROLL_UP)),
        *differences("reads what it rolled up", before.numbers(), now.numbers()),
    ]
    rolled = now.numbers()
    wrong += failure("this version rolls up afterwards", now.run(*ROLL_UP, "--force"))
    return [*wrong, *differences("this version reads afterwards", rolled, now.numbers())]


def failure(what: str, ran: tuple[int, str, str]) -> list[str]:
    status, _, complained = ran
    return [f"{what}: {complained.splitlines()[-1]}"] if status else []


def differences(what: str, before: Any, now: Any) -> list[str]:
    """Compare every figure that the version before knows."""
    found = []
    for slug, breakdowns in before.items():
        for by, lines in breakdowns.items():
            rows = list(csv.DictReader(lines))
            names = csv.DictReader(lines).fieldnames or []
            figures = [{name: row[name] for name in names} for row in csv.DictReader(now[slug][by])]
            if figures != rows:
                few = f"{len(rows)} rows, and should have {len(figures)}"
                found.append(
                    f"{what}: {slug} by {by or 'nothing'} has {few if len(rows) != len(figures) else 'other figures'}"
                )
    return found


def main(checkout: str, version: str) -> None:
    wrong = try_beside(Path(checkout).resolve(), version, os.environ["DATABASE_URL"])
    sys.stdout.write("\n".join(wrong or ["It records, reads and rolls up rightly beside this version."]) + "\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
