"""`manage.py generate_usage` records made-up calls: once, however often it runs."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aggregates.db import clock
from aggregates.models import Organization, UsageLog
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, UsageQuery
from aggregates.rollup import day_sums, protocol
from tests.processes import run_on_terminal

pytestmark = pytest.mark.django_db


def generate(*arguments: str) -> str:
    out = StringIO()
    call_command("generate_usage", *arguments, stdout=out)
    return out.getvalue()


def test_it_makes_the_organizations_and_as_many_calls_as_asked_for():
    said = generate("--calls", "1,200", "--days", "50", "--until", "2025-03-10", "--organizations", "3")

    assert said == "1,200 calls of 3 organizations, 2025-01-20 to 2025-03-10: 1,200 new, 0 already there.\n"
    assert list(Organization.objects.values_list("slug", "time_zone")) == [(f"load-{n}", "UTC") for n in (1, 2, 3)]
    by_organization = [UsageLog.objects.filter(organization__slug=f"load-{n}").count() for n in (1, 2, 3)]
    assert by_organization == sorted(by_organization, reverse=True)
    assert sum(by_organization) == 1200
    dates = UsageLog.objects.order_by("timestamp").values_list("timestamp__date", flat=True)
    assert str(dates[0]) == "2025-01-20"
    assert str(dates[1199]) == "2025-03-10"


def test_a_second_run_adds_nothing():
    arguments = ("--calls", "900", "--days", "40", "--today", "30")
    assert "900 new, 0 already there" in generate(*arguments)
    assert "0 new, 900 already there" in generate(*arguments)
    assert UsageLog.objects.count() == 900
    assert "900 new, 0 already there" in generate(*arguments, "--seed", "2")


def test_calls_of_today_are_counted_exactly_and_lie_before_now():
    generate("--calls", "2000", "--days", "10", "--today", "345")

    now = clock.now()
    biggest = Organization.objects.get(slug="load-1")
    query = UsageQuery.for_dates(biggest, now.date(), now.date(), bucket=Bucket.TOTAL)
    assert read([query])[query].totals.calls == 345
    assert not UsageLog.objects.filter(timestamp__gt=now).exists()


def test_organizations_are_made_in_the_zone_that_is_given():
    generate("--calls", "300", "--days", "3", "--until", "2025-03-31", "--time-zone", "America/Lima")

    first, *_, last = UsageLog.objects.order_by("timestamp")
    assert first.organization.time_zone == "America/Lima"
    assert (str(first.timestamp.date()), str(last.timestamp.date())) == ("2025-03-29", "2025-04-01")
    assert first.timestamp.hour >= 5  # which is midnight in Lima


def test_what_it_makes_is_rolled_up_like_any_other_usage():
    generate("--calls", "1000", "--days", "20", "--organizations", "2")
    protocol.roll_up()

    yesterday = clock.now().date() - timedelta(days=1)
    for organization in Organization.objects.all():
        assert day_sums.verify(yesterday, [organization.pk]) == []
        query = UsageQuery.for_dates(organization, yesterday - timedelta(days=18), yesterday, bucket=Bucket.TOTAL)
        answer = read([query])[query]
        assert (
            answer.totals.calls
            == UsageLog.objects.filter(
                organization=organization, timestamp__gte=query.start, timestamp__lt=query.end
            ).count()
        )
        assert len(answer.plan.log_days) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--calls", "0"), "expected a whole number from 1 to"),
        (("--calls", "many"), "got “many”"),
        (("--calls", "-5"), "expected a whole number"),
        (("--calls", "10", "--days", "0"), "argument --days"),
        (("--calls", "10", "--organizations", "0"), "argument --organizations"),
        (("--calls", "10", "--users", "0"), "argument --users"),
        (("--calls", "10", "--time-zone", "Nowhere"), "expected an IANA name"),
        (("--calls", "10", "--until", "yesterday"), "expected a date"),
        (("--calls", "10", "--until", "2100-01-01"), "is yet to come"),
        (("--calls", "10", "--days", "3650", "--until", "2005-01-01"), "the log begins on 2000-01-01"),
        (("--calls", "10", "--today", "11"), "11 calls today are more than the 2"),
        (("--calls", "10", "--today", "1", "--until", "2025-01-01"), "No call can be of today"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_made(arguments, words):
    with pytest.raises(CommandError, match=words):
        generate(*arguments)
    assert not Organization.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_on_a_terminal_it_shows_how_far_it_is():
    status, shown = run_on_terminal("generate_usage", "--calls", "3000", "--until", "2025-01-31", "--days", "31")
    assert status == 0
    assert "/3.00k [" in shown
    assert "3,000 new, 0 already there." in shown
