"""`python -m tests.faults.sender ORGANIZATION BATCHES`: a program that records calls, and keeps at it.

It prints the request ids of each batch when that is acknowledged; what is not, it sends again.
"""

import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")
django.setup()

from django.db import Error, connection  # noqa: E402

from aggregates.domain.calls import Call  # noqa: E402
from aggregates.ingest import record  # noqa: E402
from aggregates.models import Organization  # noqa: E402
from tests.proof.scene import make_call  # noqa: E402

START = datetime(2025, 3, 1, 10, tzinfo=UTC)
CALLS = 5  # of a batch, one a day


def main() -> None:
    slug, batches = sys.argv[1], int(sys.argv[2])
    for number in range(batches):
        calls = batch(number)
        while not recorded(slug, calls):
            time.sleep(0.1)
        print(*(call.request_id for call in calls), flush=True)


def batch(number: int) -> list[Call]:
    chance = random.Random(number)
    return [
        make_call(chance, START + timedelta(days=day, seconds=number))._replace(request_id=f"{number}-{day}")
        for day in range(CALLS)
    ]


def recorded(slug: str, calls: list[Call]) -> bool:
    try:
        record(Organization.objects.get(slug=slug), calls)
    except Error as error:
        print(f"Sending again: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
        connection.close()
        return False
    return True


if __name__ == "__main__":
    main()
