"""`python -m tests.faults.judge`: compares the planner and the aggregates with the log, and counts what is in the log.

The same as a function for tests that use the database itself.
"""

import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")
    django.setup()

from django.db.models import F, Max, Min  # noqa: E402

from aggregates.db import clock
from aggregates.db.snapshot import snapshot
from aggregates.domain import days  # noqa: E402
from aggregates.domain.dimensions import BY_NAME  # noqa: E402
from aggregates.models import Organization, UsageDay, UsageLog  # noqa: E402
from aggregates.query import runner  # noqa: E402
from aggregates.query.usage_query import Bucket, UsageQuery  # noqa: E402
from aggregates.rollup import (
    day_sums,  # noqa: E402
)
from tests.proof import plain  # noqa: E402
from tests.proof.readers import stored, values  # noqa: E402
from tests.proof.tally import Tally  # noqa: E402


def judge() -> list[str]:
    """What is wrong, in words: days that are over and not clean, and differences from the log."""
    tally = Tally()
    now = clock.now()
    left = UsageDay.objects.filter(ends_at__lte=now).exclude(rolled_through=F("ends_at"))
    for organization in Organization.objects.all():
        over = set(UsageDay.objects.filter(organization=organization, ends_at__lte=now).values_list("date", flat=True))
        tables = (plain.days_of(organization.pk, organization.time_zone), stored(organization))
        expected, got = ({day: sums for day, sums in table.items() if day[0] in over} for table in tables)
        tally.compare("days", got=got, expected=expected, about=organization)
        for day in over:
            tally.compare("grains", got=day_sums.verify(day, [organization.pk]), expected=[], about=day)
        compare_answers(organization, tally)
    return [*tally.shown, *(f"{day} is over, and not clean" for day in left)]


def compare_answers(organization: Organization, tally: Tally) -> None:
    """Of the planner, over all that there is, by day and in all, and by each dimension."""
    calls = UsageLog.objects.filter(organization=organization)
    bounds = calls.aggregate(first=Min("timestamp"), last=Max("timestamp"))
    if not bounds["first"]:
        return
    with snapshot():
        first, last = (days.date_of(bounds[name], organization.time_zone) for name in ("first", "last"))
        questions = [
            UsageQuery.for_dates(organization, first - 10 * days.DAY, last, bucket=bucket, by=by)
            for bucket in (Bucket.DAY, Bucket.TOTAL)
            for by in ((), *((name,) for name in BY_NAME))
        ]
        for question, answer in runner.read(questions).items():
            got = {(row.start, row.group): values(row.sums) for row in answer.rows}
            tally.compare("answers", got=got, expected=plain.sums_of(question), about=question)


def main() -> None:
    for request_id in UsageLog.objects.order_by("request_id").values_list("request_id", flat=True):
        print(request_id)
    wrong = judge()
    print("\n".join(wrong), file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
