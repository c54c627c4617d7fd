"""The line that says where numbers come from."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from aggregates.domain.days import Span
from aggregates.domain.dimensions import TOTALS
from aggregates.query.planner import Plan
from aggregates.query.provenance import provenance

NOW = datetime(2025, 7, 30, 14, 5, tzinfo=UTC)
TODAY = date(2025, 7, 30)
ROLLED = datetime(2025, 7, 30, 1, 0, tzinfo=UTC)


def before(*ago: int) -> tuple[date, ...]:
    return tuple(TODAY - timedelta(days=number) for number in sorted(ago, reverse=True))


def plan(
    aggregate: tuple[date, ...] = (),
    log: tuple[date, ...] = (),
    empty: tuple[date, ...] = (),
    rolled_at: datetime | None = ROLLED,
) -> Plan:
    return Plan(TOTALS, aggregate, (), log, (), empty, rolled_at if aggregate else None, None)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            plan(before(*range(1, 30)), before(0)),
            "29 days from daily aggregates, rolled up today 01:00 UTC; today live from the log.",
        ),
        (
            plan(before(1), before(0)),
            "1 day from daily aggregates, rolled up today 01:00 UTC; today live from the log.",
        ),
        (
            plan(before(*range(4, 30)), before(0, 1, 3)),
            "26 days from daily aggregates, rolled up today 01:00 UTC; 2 days and today live from the log.",
        ),
        (
            plan(before(*range(4, 30)), before(1), before(2, 3)),
            "26 days from daily aggregates, rolled up today 01:00 UTC; 1 day live from the log; 2 days without usage.",
        ),
        (
            plan(before(40, 41), rolled_at=ROLLED - timedelta(days=1)),
            "2 days from daily aggregates, rolled up yesterday 01:00 UTC.",
        ),
        (
            plan(before(40, 41), rolled_at=datetime(2025, 6, 1, 9, 30, tzinfo=UTC)),
            "2 days from daily aggregates, rolled up 1 Jun 2025 09:30 UTC.",
        ),
        (plan(log=before(*range(7))), "Live from the log."),
        (plan(log=before(0)), "Live from the log."),
        (plan(log=before(0), empty=before(*range(1, 30))), "Today live from the log; 29 days without usage."),
        (
            replace(
                plan(before(1), before(0)),
                head_days=before(0),
                log_spans=(Span(datetime(2025, 7, 30, 13, 50, tzinfo=UTC), NOW),),
            ),
            "1 day from daily aggregates, rolled up today 01:00 UTC; today live from the log since 13:50.",
        ),
        (plan(log=before(3), empty=before(4, 5)), "1 day live from the log; 2 days without usage."),
        (plan(empty=before(8, 9, 10)), "3 days without usage."),
    ],
)
def test_natural_words_for_every_mixture(given: Plan, line: str) -> None:
    assert provenance(given, "UTC", NOW) == line


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("America/Los_Angeles", "yesterday 18:00 PDT"),
        ("Asia/Kolkata", "today 06:30 IST"),
        ("America/Sao_Paulo", "yesterday 22:00 UTC-03"),
    ],
)
def test_times_are_those_of_the_organizations_wall_clock(zone: str, words: str) -> None:
    assert provenance(plan(before(5)), zone, NOW) == f"1 day from daily aggregates, rolled up {words}."
