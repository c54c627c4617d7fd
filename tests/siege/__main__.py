"""Besiege the site with one attack after the other, and print what others saw meanwhile."""

import argparse
import time
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection

from aggregates.models import UsageLog
from tests.api.otlp.door import opened
from tests.bench.databases import make
from tests.serving import serving
from tests.siege.attacks import ATTACKS, Attack, besieging
from tests.siege.scene import Scene, make_scene
from tests.siege.watching import dashboard, exporter, recorder, watching

DAYS, EVERY, CALLS = 3_650, 10, 120
WARM = 20  # requests of each kind
SLOWEST = ("slowest /healthz", "slowest dashboard", "slowest span")
HEADER = ("attack, from so many connections", *SLOWEST, "calls recorded", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.siege", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each attack (default: 20)")
    parser.add_argument("--days", type=int, default=DAYS, help=f"of calls in the log (default: {DAYS:,})")
    parser.add_argument("--only", default="", help="attacks whose names hold this")
    parser.add_argument("--server", action="append", default=[], help="what Python runs in the place of the web server")
    asked = parser.parse_args()
    make("siege")
    print(f"Recording {asked.days // EVERY * CALLS:,} calls ...", flush=True)
    scene = make_scene(asked.days, CALLS, EVERY)
    print("| " + " | ".join(HEADER) + " |\n| --- | --: | --: | --: | --: | --: |", flush=True)
    for attack in ATTACKS:
        if asked.only in attack.name:
            with server(asked.server) as port, TemporaryDirectory() as folder, opened(Path(folder, "log")) as door:
                warm_up(port, door.port, scene)
                print(line(attack, scene, port, door.port, asked.seconds), flush=True)


def server(program: list[str]) -> AbstractContextManager[int]:
    database = str(connection.settings_dict["NAME"])
    return serving(*program, DJANGO_SETTINGS_MODULE="tests.siege.settings", TEST_DATABASE=database)


def warm_up(port: int, grpc_port: int, scene: Scene) -> None:
    """Let every worker load what it needs, which is no matter of the siege."""
    for _ in range(WARM):
        dashboard(port, scene).ask()
        recorder(port, scene).ask()
        exporter(grpc_port, scene).ask()


def line(attack: Attack, scene: Scene, port: int, grpc_port: int, seconds: float) -> str:
    """Besiege the site for so many seconds, and tell in a row of the table what was seen."""
    of_acme = UsageLog.objects.filter(organization__slug="acme")
    before = of_acme.count()
    attacked = grpc_port if attack.over_grpc else port
    with besieging(attack, scene, attacked) as siege, watching(port, grpc_port, scene) as seen:
        time.sleep(seconds)
    cells = (
        f"{attack.name}, {attack.clients} ({siege.began:,} in all; {siege.answers or 'unread'})",
        f"{max(seen.health, default=0):.2f} s",
        f"{max(seen.pages, default=0):.2f} s",
        f"{max(seen.exports, default=0):.2f} s",
        f"{of_acme.count() - before:,}",
        f"{seen.memory / 1e6:.0f} MB",
    )
    return "| " + " | ".join(cells) + " |" + "".join(f"\n{failure}" for failure in seen.failures[:3])


if __name__ == "__main__":
    main()
