"""`make prove`: the concurrency proof in its long form, its mutants, and the faults; says what it did.

Everything happens in throw-away databases.
"""

import argparse
import logging
import os
import random
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from tests.proof.mutants import MUTANTS  # noqa: E402
from tests.proof.play import RARE, Round, not_done, play, play_mutant  # noqa: E402
from tests.proof.readers import BY_STANDBY  # noqa: E402
from tests.proof.tally import Tally  # noqa: E402
from tests.replica import AT_ONCE, Replica, conninfo_of_tests  # noqa: E402

BASE = Path(__file__).parents[2]
PACES = (0.25, 1.0, 3.0)  # seconds that a day takes
ROUND = 20  # seconds: the log of a round stays so small that adding it up is quick


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=20_000, help="at least so many (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=0, help="go on for at least so long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="default: another one every time")
    asked = parser.parse_args()
    call_command("migrate", verbosity=0)
    logging.getLogger("aggregates").setLevel(logging.CRITICAL)  # the errors that interrupt a roller are meant
    print(f"Seed {asked.seed}.\n")
    with closing(Replica(conninfo_of_tests(), AT_ONCE)) as standby:
        failures = prove(asked.seed, asked.comparisons, asked.minutes, standby)
    failures = [
        *failures,
        *prove_mutants(asked.seed),
        *inject_faults(),
    ]
    print("\n" + ("\n".join(f"FAILED: {failure}" for failure in failures) or "Proved."))
    sys.exit(bool(failures))


def prove(seed: int, comparisons: int, minutes: float, standby: Replica) -> list[str]:
    """Rounds at every pace, until enough was compared, for long enough; what failed."""
    total, rounds, start = Tally(), 0, time.monotonic()
    while rounds < len(PACES) or total.comparisons < comparisons or time.monotonic() - start < minutes * 60:
        pace = PACES[rounds % len(PACES)]
        setting = Round(seed + rounds, seconds=ROUND, comparisons=10**9, seconds_a_day=pace, standby=standby)
        total.add(play(setting))
        rounds += 1
        print(f"round {rounds}: {total.comparisons:,} comparisons, {total.differences:,} differences", file=sys.stderr)
    print(f"Comparisons with the sum over the log, in {rounds} rounds, {time.monotonic() - start:.0f} s:")
    show(total.compared)
    print(f"{total.comparisons:12,}  in all; differences: {total.differences:,}\n\nMeanwhile:")
    show(total.did)
    failures = [f"an answer differs: {shown}" for shown in total.shown]
    return failures + [f"this did not happen: {what}" for what in not_done(total, *RARE, BY_STANDBY)]


def show(counts: dict[str, int]) -> None:
    for what, number in sorted(counts.items()):
        print(f"{number:12,}  {what}")


def prove_mutants(seed: int) -> list[str]:
    """What failed: a mutant in which nothing differs."""
    print("\nMutants, each until readers see a difference:\n differences")
    failures = []
    for mutant in MUTANTS:
        tally = play_mutant(mutant, seed)
        print(f"{tally.differences:12,}  in {tally.comparisons:,} comparisons, when {mutant.broken}")
        if not tally.differences:
            failures.append(f"nothing differed when {mutant.broken}")
    return failures


def inject_faults() -> list[str]:
    """The tests of tests/faults, each of which injects one; what failed."""
    print("\nFaults, each followed by a restart, a roll-up and a comparison with the log:")
    command = [sys.executable, "-m", "pytest", "tests/faults", "-vv", "--tb=short"]
    done = subprocess.run(command, cwd=BASE, capture_output=True, text=True, check=False)
    results = re.findall(r"::test_(.+?) (PASSED|FAILED|ERROR)", done.stdout)
    for name, result in results:
        print(f"      {result.lower()}  {name.replace('_', ' ')}")
    print(f"{len(results):12,}  injected")
    return [f"pytest tests/faults:\n{done.stdout}{done.stderr}"] if done.returncode or not results else []


if __name__ == "__main__":
    main()
