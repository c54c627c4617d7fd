"""Pages and files about days in the middle of the log whose calls are missing from it."""

from collections.abc import Callable
from datetime import date
from io import BytesIO
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from aggregates.db.partitions import partition_name
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.rollup.protocol import roll_up

DAYS = ("2025-02-28", "2025-03-01", "2025-04-01")
SPRING = "range=custom&from=2025-02-28&to=2025-03-02"


@pytest.fixture
def page(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> Client:
    """A call on each of the days, and March dropped by hand."""
    client.force_login(alice)
    record(acme, [call(f"{day}T10:00Z", request_id=day, cost="1.5") for day in DAYS])
    roll_up()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"DROP TABLE {partition_name(date(2025, 3, 1))}")
    return client


@pytest.mark.parametrize("bucket", ["", "&bucket=hour"])
def test_where_hours_are_not_known_the_chart_and_its_files_have_days(page: Client, bucket: str) -> None:
    shown = page.get(f"/o/acme/?{SPRING}{bucket}").context["dashboard"]
    assert (shown.failed, shown.refusal, shown.totals.cost) == (False, "", 3)
    assert shown.selection.step == "day"
    rows = page.get(f"/o/acme/usage.csv?{SPRING}{bucket}&by=none").content.decode().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["2025-02-28", "2025-03-01"]
    workbook = page.get(f"/o/acme/usage.xlsx?{SPRING}{bucket}")
    assert workbook.status_code == 200
    assert ZipFile(BytesIO(workbook.content)).testzip() is None


def test_the_list_of_calls_says_what_is_missing_from_it(page: Client) -> None:
    answer = page.get(f"/o/acme/calls/?{SPRING}")
    calls = answer.context["calls"]
    assert calls.count == 2
    assert [line.call.request_id for day in calls.days for line in day.lines] == ["2025-02-28"]
    assert "Calls of 2025-03-01 are missing from the log" in answer.content.decode()
    assert "calls.csv" not in answer.content.decode()


@pytest.mark.parametrize("file", ["focus.csv", "calls.csv"])
def test_a_file_of_calls_that_would_lack_some_is_refused(page: Client, file: str) -> None:
    answer = page.get(f"/o/acme/{file}?{SPRING}")
    assert (answer.status_code, answer.content.decode()) == (
        400,
        "Calls of 2025-03-01 are missing from the log: choose a range without them.\n",
    )
    april = page.get(f"/o/acme/{file}?range=custom&from=2025-04-01&to=2025-04-02")
    assert len(b"".join(april.streaming_content).splitlines()) == 2


def test_groups_are_shown_where_nothing_knows_their_subgroups_any_more(page: Client) -> None:
    """No aggregate holds users, subjects and models at once: only the log does, of days whose calls are in it."""
    asked = "by=user&subgroup=subject&model=gpt-5"
    spring, april = (
        page.get(f"/o/acme/?{asked}&{range_}").context["dashboard"]
        for range_ in (SPRING, "range=custom&from=2025-03-20&to=2025-04-20")
    )

    assert "no daily aggregate holds user with subject with model" in spring.refusal
    assert [(one.total, one.parts) for one in spring.charts[0].series] == [(3, ())]
    assert spring.tables[0].subgroup is None
    assert april.refusal == ""
    assert [[part.total for part in one.parts] for one in april.charts[0].series] == [[1.5]]
    (group,) = april.tables[0].lines
    opened = f"/o/acme/subgroups/?{asked}&range=custom&user={group.key}"
    april_rows, spring_rows = (
        page.get(f"{opened}&{dates}").context["opened"]
        for dates in ("from=2025-03-20&to=2025-04-20", SPRING.removeprefix("range=custom&"))
    )
    assert [part.sums.cost for part in april_rows.lines] == [1.5]
    assert "no daily aggregate holds subject with model with user" in spring_rows.refusal
    refused = page.get(f"/o/acme/usage.csv?{asked}&{SPRING}")
    assert (refused.status_code, "user with subject with model" in refused.content.decode()) == (400, True)
