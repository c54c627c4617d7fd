"""aggregate_day rolls up what is asked for and over, says what it did, and finds aggregates that differ."""

import re
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from aggregates.db import clock
from aggregates.db.locks import Lock, day_number
from aggregates.domain import days
from aggregates.ingest import record
from aggregates.models import DailyAggregate, DailyBreakdown, RollUpRun, UsageDay
from aggregates.rollup import protocol
from tests.fixtures import make_organization
from tests.processes import run_on_terminal
from tests.tampering import change_breakdowns
from tests.words import NOBODY

FARTHEST_EAST, FARTHEST_WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"  # 25 hours apart: never the same date


def aggregate(*arguments: str) -> str:
    out, err = StringIO(), StringIO()
    call_command("aggregate_day", *arguments, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def stored() -> list[tuple]:
    rows = DailyAggregate.objects.order_by("date", "organization__slug")
    return [
        (str(slug), str(day), calls, cost)
        for slug, day, calls, cost in rows.values_list("organization__slug", "date", "total_calls", "total_cost")
    ]


@pytest.fixture
def used(acme, call):
    """Acme, with usage on two days and none on the one between."""
    record(acme, [call("2025-03-01T10:00Z", cost="1"), call("2025-03-01T11:00Z"), call("2025-03-03T10:00Z", cost="2")])
    return acme


def test_a_date_is_rolled_up_once_and_again_only_by_force(used):
    assert aggregate("2025-03-01") == "Rolled up 1 day, 7 rows written.\n"
    assert stored() == [("acme", "2025-03-01", 2, Decimal(1))]
    rolled_at = UsageDay.objects.get(date="2025-03-01").rolled_at

    assert aggregate("2025-03-01") == "Nothing to do: 1 day already rolled up (--force rolls up again).\n"
    assert UsageDay.objects.get(date="2025-03-01").rolled_at == rolled_at

    assert aggregate("2025-03-01", "--force") == "Rolled up 1 day, 7 rows written.\n"
    assert UsageDay.objects.get(date="2025-03-01").rolled_at > rolled_at
    assert stored() == [("acme", "2025-03-01", 2, Decimal(1))]


def test_a_span_is_rolled_up_but_for_what_is_already(used):
    aggregate("2025-03-03")

    said = aggregate("--from", "2025-03-01", "--to", "2025-03-03")

    assert said == "Rolled up 1 day, 7 rows written; 1 day already rolled up (--force rolls up again).\n"
    assert stored() == [("acme", "2025-03-01", 2, Decimal(1)), ("acme", "2025-03-03", 1, Decimal(2))]


def test_a_late_call_is_rolled_up_without_force(used, call):
    aggregate("--from", "2025-03-01", "--to", "2025-03-03")
    record(used, [call("2025-03-01T12:00Z", cost="4")])

    assert aggregate("2025-03-01") == "Rolled up 1 day, 7 rows written.\n"
    assert stored()[0] == ("acme", "2025-03-01", 3, Decimal(5))


def test_only_the_organization_that_is_named(used, other, call):
    record(other, [call("2025-03-01T10:00Z")])

    aggregate("2025-03-01", "--organization", "other")

    assert [slug for slug, *_ in stored()] == ["other"]


def test_without_usage_there_is_nothing_to_write(used):
    assert aggregate("2025-03-02") == "There was no usage: nothing to write.\n"
    assert stored() == []


def test_by_default_each_organizations_own_yesterday(db, call):
    expected = []
    for slug, zone in (("east", FARTHEST_EAST), ("west", FARTHEST_WEST)):
        organization = make_organization(slug, zone)
        yesterday = days.date_of(clock.now(), zone) - days.DAY
        for day in (yesterday - days.DAY, yesterday):
            record(organization, [call(days.midnight(day, zone).isoformat())])
        record(organization, [call(clock.now().isoformat())])
        expected.append((slug, str(yesterday), 1, Decimal(0)))

    assert aggregate() == "Rolled up 2 days, 14 rows written.\n"
    assert sorted(stored()) == expected


def test_a_day_that_is_not_over_is_refused(used):
    today = clock.now().date()

    with pytest.raises(CommandError) as error:
        aggregate("--from", "2025-03-01", "--to", str(today))

    assert str(error.value) == (
        f"{today} is not over yet in UTC (acme): the newest closed day there is {today - timedelta(days=1)}."
    )
    assert stored() == []


def test_a_day_that_is_over_in_some_zones_is_rolled_up_there(db, call):
    east, west = make_organization("east", FARTHEST_EAST), make_organization("west", FARTHEST_WEST)
    day = days.date_of(clock.now(), FARTHEST_EAST) - days.DAY
    newest = days.date_of(clock.now(), FARTHEST_WEST) - days.DAY
    record(east, [call(days.midnight(day, FARTHEST_EAST).isoformat())])
    record(west, [call(days.midnight(newest, FARTHEST_WEST).isoformat())])

    said = aggregate(str(day))

    assert stored() == [("east", str(day), 1, Decimal(0))]
    assert "Rolled up 1 day, 7 rows written.\n" in said
    assert f"{day} is not over yet in {FARTHEST_WEST} (west): the newest closed day there is {newest}.\n" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2025-02-30"], "expected a date such as 2025-03-09, got “2025-02-30”"),
        (["20250301"], "expected a date such as 2025-03-09, got “20250301”"),
        (["9999-12-31"], "expected a date such as 2025-03-09"),
        (["--from", "2025-03-02", "--to", "2025-03-01"], "The span ends before it begins: 2025-03-02 is after"),
        (["--from", "2025-03-02"], "--from and --to go together."),
        (["2025-03-01", "--to", "2025-03-02"], "Give a date, or a span with --from and --to, and not both."),
        (["--organization", "nobody"], NOBODY),
    ],
)
def test_what_cannot_be_done_is_said(used, arguments, message):
    with pytest.raises(CommandError) as error:
        aggregate(*arguments)

    assert message in str(error.value)
    assert stored() == []


def test_without_organizations_it_says_so(db):
    with pytest.raises(CommandError, match="There is no organization yet"):
        aggregate()


def test_verify_compares_days_with_the_log_and_leaves_them_alone(used):
    span = ("--from", "2025-03-01", "--to", "2025-03-03")
    assert aggregate(*span, "--verify") == (
        "Rolled up 2 days, 14 rows written.\nCompared 2 days with the log: equal.\n"
    )

    change_breakdowns(
        DailyBreakdown.objects.filter(date="2025-03-03", grain="user"), total_cost=Decimal("2.000000000001")
    )
    out = StringIO()
    with pytest.raises(CommandError, match=r"^1 of 2 days differ from the log\.$"):
        call_command("aggregate_day", *span, "--verify", stdout=out)
    assert out.getvalue().splitlines() == [
        "Nothing to do: 2 days already rolled up (--force rolls up again).",
        "acme 2025-03-03 user: 2 rows differ from the log",
    ]

    assert "Compared 2 days with the log: equal.\n" in aggregate(*span, "--verify", "--force")


@pytest.mark.django_db(transaction=True)
def test_a_day_that_is_being_recorded_is_reported_as_busy(used, monkeypatch):
    monkeypatch.setattr(protocol, "SEAL_TIMEOUT", "50ms")
    facts = connection.get_connection_params()
    with psycopg.connect(**{name: facts[name] for name in ("dbname", "user", "host", "port")}) as writer:
        day = day_number(date(2025, 3, 1))
        writer.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [Lock.DAY, day])

        with pytest.raises(CommandError, match=r"recorded right now: 2025-03-01\. Try again"):
            aggregate("--from", "2025-03-01", "--to", "2025-03-03")

    assert [day for _, day, *_ in stored()] == ["2025-03-03"]


@pytest.mark.django_db(transaction=True)
def test_a_span_shows_its_progress_on_a_terminal_and_nowhere_else(used, capfd):
    status, shown = run_on_terminal("aggregate_day", "--from", "2025-03-01", "--to", "2025-03-03")
    assert status == 0
    assert re.search(r"[0-2]/2 ", shown)
    assert "Rolled up 2 days, 14 rows written." in shown

    aggregate("--from", "2025-03-01", "--to", "2025-03-03", "--force")
    assert capfd.readouterr().err == ""


def test_it_is_in_the_history_of_runs(used):
    aggregate("2025-03-01")
    DailyAggregate.objects.update(total_calls=9)
    with pytest.raises(CommandError):
        aggregate("2025-03-01", "--verify")

    second, first = RollUpRun.objects.all()
    assert (first.job, first.days, first.rows, first.error) == ("command", 1, 7, "")
    assert (second.compared, second.mismatches) == (1, 1)
    assert second.differences == "acme 2025-03-01 totals: 2 rows differ from the log"
    assert second.error == "CommandError: 1 of 1 day differ from the log."
