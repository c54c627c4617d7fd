"""Staff see the history of runs, and what is wrong, in the admin and on the platform page."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Job, RollUpRun
from aggregates.ops import tasks

RUNS = "/admin/aggregates/rolluprun/"
DIFFERED = "1 day found to differ from the log in the last 7 days"


@pytest.fixture
def site(acme, staff, call, client):
    record(acme, [call("2025-03-01T10:00Z"), call("2025-03-02T10:00Z")])
    tasks.nightly()
    Schedule.objects.update(next_run=clock.now())
    client.force_login(staff)
    return acme


@pytest.fixture
def differed(site):
    DailyAggregate.objects.filter(date="2025-03-01").update(total_cost=99)
    tasks.nightly()
    return site


def cells(page) -> list[list[object]]:
    model_admin = page.context["cl"].model_admin
    return [
        [run.job, model_admin.outcome(run), run.days, run.compared, run.mismatches, model_admin.first_words(run)]
        for run in page.context["cl"].result_list
    ]


def test_the_newest_run_comes_first_with_what_became_of_it(differed, client):
    started = clock.now()
    RollUpRun.objects.create(job=Job.REPAIR, started_at=started, finished_at=started, error="x" * 200)
    RollUpRun.objects.create(job=Job.REPAIR, started_at=started + timedelta(seconds=1))

    page = client.get(RUNS)

    assert cells(page) == [
        ["repair", "Not finished", 0, 0, 0, ""],
        ["repair", "Failed", 0, 0, 0, "x" * 120 + "…"],
        [
            "nightly",
            "Differed",
            0,
            2,
            1,
            "acme 2025-03-01: totals in 2 rows; rolled up again, and equal now",
        ],
        ["nightly", "OK", 2, 2, 0, ""],
    ]
    assert "Differed" in page.content.decode()
    assert len(cells(client.get(f"{RUNS}?job__exact=nightly"))) == 2


@pytest.mark.parametrize("address", ["admin:index", "platform"])
def test_what_is_wrong_stands_where_staff_look(differed, client, address):
    assert DIFFERED in client.get(reverse(address)).content.decode()


@pytest.mark.parametrize("address", ["admin:index", "platform"])
def test_where_nothing_is_wrong_nothing_stands(site, client, address):
    page = client.get(reverse(address)).content.decode()

    assert DIFFERED not in page
    assert 'role="alert"' not in page
    assert "site-problems" not in page


def test_members_see_nothing_of_it(differed, client, alice):
    client.force_login(alice)

    assert DIFFERED not in client.get(reverse("dashboard", args=["acme"])).content.decode()


def test_rolling_up_by_hand_is_a_run_too(site, client):
    chosen = {"action": "roll_up_again", "_selected_action": [DailyAggregate.objects.first().pk]}

    client.post("/admin/aggregates/dailyaggregate/", chosen)

    run = RollUpRun.objects.first()
    assert (run.job, run.days, run.rows) == ("admin", 1, 7)
