"""Make an installation with data, as it stands beside this file: run with the checkout of the version that it is of.

    cd ANOTHER_CHECKOUT && PYTHONPATH=. python THIS_FILE VERSION

It uses commands, settings and stored names alone, so that any version can run it.
"""

import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
SECRET = "a secret that everybody may know, it guards no more than made-up calls"
ZONES = {"acme": "America/Los_Angeles", "other": "Asia/Kolkata"}
ADMINS = {"acme": "alice@example.com", "other": "charlie@example.com"}
FIRST, LAST = "2025-01-01", "2025-04-30"
KEPT_FROM = 2025 * 12 + 1  # February 2025, in months: the calls of January are dropped
BREAKDOWNS = ("", "operation", "provider", "model", "user", "subject", "project")


def main(version: str) -> None:
    today = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "usagesite.settings",
            "KEEP_MONTHS": str(today.year * 12 + today.month - 1 - KEPT_FROM),
            "SECRET_KEY": SECRET,
            "USAGESITE_DATA": data,
        }
        import django

        django.setup()
        call("migrate", "--verbosity", "0")
        keys = fill(Path(data))
        (HERE / f"{version}.json").write_text(json.dumps({"keys": keys, "numbers": numbers()}, indent=1) + "\n")
        (HERE / f"{version}.sql").write_text(dump())


def fill(data: Path) -> dict[str, str]:
    """A dropped month, clean days, a late call and days that are not rolled up; and what stands beside the log."""
    from django_q.models import Schedule
    from django_q.tasks import async_task

    from aggregates.tasks import nightly

    for slug, zone in ZONES.items():
        call("create_organization", slug, "--name", slug.title(), "--time-zone", zone, "--admin", ADMINS[slug],
             "--password", "correct horse battery")  # fmt: skip
        call("set_price", slug, "gpt-5", "--from", "2025-02-01", "--price", "input=2", "output=8.5")
    for slug in ZONES:
        record(data, slug, made_up(slug, "2025-01", 9) + made_up(slug, "2025-02", 9) + made_up(slug, "2025-03", 9))
    nightly()
    for slug in ZONES:
        late = [dict(row, request_id=f"late-{row['request_id']}") for row in made_up(slug, "2025-03", 2)]
        record(data, slug, late + made_up(slug, "2025-04", 4))
    record(data, "acme", [{"when": "2025-04-30T12:00Z", "name": "gpt-5", "tokens": 1000}], "--map", "timestamp=when",
           "--map", "model=name", "--map", "input_tokens=tokens", "--save-preset", "ours")  # fmt: skip
    async_task("aggregates.tasks.nightly", group="queued")
    Schedule.objects.update(next_run="2025-05-01T01:00Z")  # it is due, whenever the next version comes
    return {scope: call("create_api_key", "acme", "--name", scope, "--scope", scope) for scope in ("record", "read")}


def made_up(slug: str, month: str, number: int) -> list[dict[str, object]]:
    chance = random.Random(f"{slug} {month}")
    rows: list[dict[str, object]] = []
    for each in range(number):
        tokens = chance.randrange(9000)
        rows.append(
            {
                "timestamp": f"{month}-{chance.randrange(1, 29):02}T{chance.randrange(24):02}:30Z",
                "request_id": f"{month}-{each}",
                "operation": chance.choice(["chat", "search", ""]),
                "provider": chance.choice(["openai", "anthropic"]),
                "model": chance.choice(["gpt-5", "o9", "claude"]),
                "user_id": chance.choice(["alice", "bob", ""]),
                "subject_id": f"player-{chance.randrange(4)}",
                "project": chance.choice(["", "web"]),
                "status": chance.choice(["ok", "ok", "error"]),
                "input_tokens": tokens,
                "cached_tokens": chance.randrange(tokens + 1),
                "output_tokens": chance.randrange(900),
                **({"cost": f"{chance.randrange(10**11)}e-12"} if chance.random() < 0.7 else {}),
            }
        )
    return rows


def record(data: Path, slug: str, rows: list[dict[str, object]], *options: str) -> None:
    file = data / "calls.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call("import_usage", str(file), "--organization", slug, *options)


def numbers() -> dict[str, dict[str, list[str]]]:
    """Report every organization's use by day, and each day by each dimension: lines of CSV."""
    return {slug: {by: report(slug, by).splitlines() for by in BREAKDOWNS} for slug in ZONES}


def report(slug: str, by: str, form: str = "csv") -> str:
    return call("usage_report", "--organization", slug, "--from", FIRST, "--to", LAST, "--format", form,
                *(["--by", by] if by else []))  # fmt: skip


def log_in(email: str, password: str) -> list[object]:
    """Log in on the page that asks for it: the status, and where that leads."""
    from django.test import Client, override_settings

    answers = {"login": email, "password": password, "next": "/o/acme/"}
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):  # as it was made
        answer = Client().post("/login/", answers, HTTP_HOST="localhost")
    return [answer.status_code, answer.headers.get("Location", "")]


def call(*arguments: str) -> str:
    from django.core.management import call_command

    said = io.StringIO()
    call_command(*arguments, stdout=said)
    return said.getvalue().strip()


def dump() -> str:
    """The whole database as SQL that any client can run."""
    from django.db import connection

    from usagesite.embedded import server

    place = connection.settings_dict
    command = [server.binary("pg_dump"), "--host", place["HOST"], "--port", str(place["PORT"]), "--username",
               place["USER"], "--no-owner", "--rows-per-insert", "1000", place["NAME"]]  # fmt: skip
    sql = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"^(--.*|\\.*|SET transaction_timeout.*|)\n", "", sql, flags=re.MULTILINE)  # unknown before 17


if __name__ == "__main__":
    main(*sys.argv[1:])
