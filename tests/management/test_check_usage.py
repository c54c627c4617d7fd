"""check_usage says in words whether the site does its work, repairs what differs, and fails when something is wrong."""

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Outcome, RollUpRun, UsageLog
from aggregates.ops import tasks
from tests.processes import BASE
from tests.words import NO_ANSWER, NO_PROBLEM


@pytest.fixture
def site(acme, call):
    record(acme, [call(f"2025-03-0{day}T10:00Z", cost="1") for day in (1, 2, 3)])
    tasks.nightly()
    Schedule.objects.update(next_run=clock.now())
    return acme


def check(*arguments: str) -> tuple[list[str], str]:
    """The lines it prints, and the error that it ends with."""
    out = StringIO()
    try:
        call_command("check_usage", *arguments, stdout=out, stderr=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


def test_a_site_that_does_its_work(site):
    lines, error = check()

    assert error == ""
    assert lines[:4] == [
        "Database: answers, all migrations applied.",
        "Partitions of this month and the next: all there.",
        "Closed days not rolled up: none.",
        "Days with late calls to roll up again: none.",
    ]
    assert [line.split(":")[0] for line in lines[4:7]] == ["Task “nightly”", "Task “repair”", "Last nightly run"]
    assert lines[6].endswith("ended well: 3 days rolled up, 3 compared, 0 differed.")
    assert lines[7:] == ["Compared 3 days with the log: equal.", NO_PROBLEM]


def test_what_differed_is_repaired_and_told_and_is_a_failure(site):
    DailyAggregate.objects.filter(date="2025-03-02").update(total_cost=99)

    lines, error = check()

    assert "DIFFERED: acme 2025-03-02: totals in 2 rows; rolled up again, and equal now" in lines
    assert error == "1 day differed from the log; docs/operations.md says what to do."
    assert set(DailyAggregate.objects.values_list("total_cost", flat=True)) == {1}
    run = RollUpRun.objects.first()
    assert (run.job, run.outcome, run.compared, run.mismatches) == ("command", Outcome.DIFFERED, 3, 1)

    lines, error = check()

    assert "Compared 3 days with the log: equal." in lines
    assert lines[-1].startswith("PROBLEM (verified): 1 day found to differ from the log in the last 7 days")
    assert error == "1 problem; docs/operations.md says what to do."


@pytest.mark.parametrize(("number", "compared"), [("0", None), ("8", 1), ("9", 2), ("10", 3), ("99", 3)])
def test_how_many_days_are_compared(site, number, compared):
    lines, error = check("--verify", number)

    assert error == ""
    found = [line for line in lines if line.startswith("Compared")]
    plural = "day" if compared == 1 else "days"
    assert found == ([f"Compared {compared} {plural} with the log: equal."] if compared else [])


@pytest.mark.parametrize("number", ["-1", "many", "1.5", "²"])
def test_a_number_of_days_is_a_number(db, number):
    with pytest.raises(CommandError, match="expected a number of days"):
        call_command("check_usage", f"--verify={number}")


def test_a_backlog_is_told_and_is_a_failure(site, call):
    record(site, [call("2025-03-04T10:00Z"), call("2025-03-03T11:00Z")])
    UsageLog.objects.filter(timestamp__gte="2025-03-04T00:00Z").update(received_at="2025-03-04T10:00Z")

    lines, error = check("--verify", "0")

    assert lines[2] == "Closed days not rolled up: 1, the oldest 4 Mar 2025, waiting since 5 Mar 2025 00:00 UTC."
    assert lines[3].startswith("Days with late calls to roll up again: 1, the oldest 3 Mar 2025, waiting since ")
    assert lines[-1] == (
        "PROBLEM (rolled_up): 1 closed day not rolled up, the oldest 4 Mar 2025; "
        "the first waits since 5 Mar 2025 00:00 UTC."
    )
    assert error == "1 problem; docs/operations.md says what to do."


def test_without_a_database_it_says_so(tmp_path):
    """As an operator runs it, to see its exit status, and that a password is nowhere."""
    unreachable = {"DATABASE_URL": "postgresql://nobody:hunter2@127.0.0.1:1/nothing", "USAGESITE_DATA": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "manage.py", "check_usage"],
        cwd=BASE,
        env=os.environ | unreachable | {"DJANGO_SETTINGS_MODULE": "usagesite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.stdout == f"Database: does not answer.\nPROBLEM (database): {NO_ANSWER}\n"
    assert answer.returncode == 1
    assert "hunter2" not in answer.stderr
