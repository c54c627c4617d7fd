"""Staff see each day's state and exact totals, roll days up again, and compare them with the log."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from aggregates.admin import days
from aggregates.ingest import record
from aggregates.models import DailyAggregate, DailyBreakdown, UsageDay, User
from aggregates.rollup.protocol import roll_up
from tests.tampering import change_breakdowns

AGGREGATES, RECORDED = "/admin/aggregates/dailyaggregate/", "/admin/aggregates/usageday/"


@pytest.fixture
def rolled(acme, other, staff, call, client):
    """Acme has a clean and a stale day, the other organization one that is clean and one not rolled up."""
    tokens = {"input_tokens": 300, "cached_tokens": 100, "output_tokens": 7}
    record(acme, [call("2025-03-01T10:00Z", cost="1.000000000001", **tokens), call("2025-03-02T10:00Z", cost="2")])
    record(other, [call("2025-03-01T10:00Z", cost="4", status="error")])
    roll_up()
    record(acme, [call("2025-03-02T11:00Z", cost="8"), call("2025-03-02T12:00Z")])
    record(other, [call("2025-04-02T11:00Z", cost="16")])
    client.force_login(staff)
    return acme


def states(page) -> list[tuple[str, str, str]]:
    return [(str(day.organization), str(day.date), day.state) for day in page.context["cl"].result_list]


def act(client, url: str, action: str, rows) -> list[tuple[str, str]]:
    """The messages that an action ends with."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    page = client.post(url, chosen, follow=True)
    assert page.status_code == 200
    return [(message.level_tag, message.message) for message in page.context["messages"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "",
            [
                ("Other", "2025-04-02", "not rolled"),
                ("Acme", "2025-03-02", "stale"),
                ("Acme", "2025-03-01", "clean"),
                ("Other", "2025-03-01", "clean"),
            ],
        ),
        ("?state=stale", [("Acme", "2025-03-02", "stale")]),
        ("?state=not+rolled", [("Other", "2025-04-02", "not rolled")]),
        ("?date__year=2025&date__month=4", [("Other", "2025-04-02", "not rolled")]),
        ("?organization__id__exact={acme}&state=clean", [("Acme", "2025-03-01", "clean")]),
    ],
)
def test_days_with_their_state(rolled, client, query, expected):
    assert states(client.get(RECORDED + query.format(acme=rolled.pk))) == expected
    of_aggregates = states(client.get(AGGREGATES + query.format(acme=rolled.pk)))
    assert of_aggregates == [day for day in expected if day[2] != "not rolled"]


def test_a_stale_day_shows_how_many_batches_came_late(rolled, client):
    assert [day.marks for day in client.get(f"{RECORDED}?state=stale").context["cl"].result_list] == [1]


@pytest.mark.parametrize(
    ("query", "cost", "calls"),
    [
        ("", "7.000000000001", 3),
        ("?organization__id__exact={acme}", "3.000000000001", 2),
        ("?state=stale", "2.000000000000", 1),
    ],
)
def test_the_totals_are_of_all_that_is_listed_to_the_last_digit(rolled, client, monkeypatch, query, cost, calls):
    monkeypatch.setattr(days.DailyAggregateAdmin, "list_per_page", 1)

    page = client.get(AGGREGATES + query.format(acme=rolled.pk))

    assert (page.context["totals"].calls, page.context["totals"].cost) == (calls, Decimal(cost))
    assert f"<td>{cost}</td>" in page.content.decode()


def test_the_totals_of_nothing_are_zero(rolled, client):
    page = client.get(f"{AGGREGATES}?state=not+rolled")
    assert (page.context["totals"].calls, page.context["totals"].cost) == (0, 0)


def test_rolling_up_again_repairs_what_is_chosen_and_nothing_else(rolled, client):
    DailyAggregate.objects.update(total_cost=99)
    day = DailyAggregate.objects.get(date="2025-03-01", organization=rolled)

    assert act(client, AGGREGATES, "roll_up_again", [day]) == [("success", "Rolled up 1 day, 7 rows written.")]

    costs = DailyAggregate.objects.order_by("date", "organization__slug").values_list(
        "organization__slug", "total_cost"
    )
    assert list(costs) == [("acme", Decimal("1.000000000001")), ("other", 99), ("acme", 99)]


def test_stale_and_unrolled_days_become_clean(rolled, client):
    chosen = UsageDay.objects.exclude(date="2025-03-01")

    assert act(client, RECORDED, "roll_up_again", chosen) == [("success", "Rolled up 2 days, 14 rows written.")]

    assert {state for *_, state in states(client.get(RECORDED))} == {"clean"}
    assert DailyAggregate.objects.get(date="2025-03-02").total_cost == 10


def test_a_day_that_is_not_over_is_left_out(acme, staff, call, client):
    from aggregates.db.clock import now

    client.force_login(staff)
    record(acme, [call(now().isoformat())])

    assert act(client, RECORDED, "roll_up_again", UsageDay.objects.all()) == [
        ("warning", "Left out 1 day: not over yet, or kept.")
    ]


def test_comparing_equal_days_says_so_and_what_was_left_out(rolled, client):
    assert act(client, RECORDED, "compare_with_log", UsageDay.objects.all()) == [
        ("success", "Compared 2 days with the log: equal."),
        ("warning", "Left out 2 days: not rolled up, stale, or kept."),
    ]


def test_comparing_names_the_day_and_the_grains_that_differ(rolled, client):
    change_breakdowns(DailyBreakdown.objects.filter(date="2025-03-01", organization=rolled, grain="user"), total_cost=5)
    DailyAggregate.objects.filter(date="2025-03-01", organization=rolled).update(total_calls=2)

    assert act(client, AGGREGATES, "compare_with_log", DailyAggregate.objects.filter(date="2025-03-01")) == [
        ("error", "Acme 2025-03-01 differs from the log: totals in 2 rows, user in 2 rows.")
    ]


@pytest.mark.parametrize("action", ["roll_up_again", "compare_with_log"])
def test_too_many_days_for_one_request_are_refused(rolled, client, monkeypatch, action):
    monkeypatch.setattr(days, "MOST_DAYS", 2)

    assert act(client, AGGREGATES, action, DailyAggregate.objects.all()) == [
        ("error", "Choose at most 2 days; manage.py aggregate_day --from --to takes any span.")
    ]


def test_who_may_only_look_does_not_roll_up(rolled, client):
    viewer = User.objects.create_user("viewer@example.com", "correct horse", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_dailyaggregate"))
    client.force_login(viewer)
    rolled_at = list(UsageDay.objects.values_list("rolled_at", flat=True))

    page = client.get(AGGREGATES)
    act(client, AGGREGATES, "roll_up_again", DailyAggregate.objects.all())

    assert [name for name, _ in page.context["action_form"].fields["action"].choices] == ["", "compare_with_log"]
    assert list(UsageDay.objects.values_list("rolled_at", flat=True)) == rolled_at


@pytest.mark.parametrize("action", ["roll_up_again", "compare_with_log"])
def test_what_staff_set_off_may_take_as_long_as_it_takes(rolled, client, action):
    limits = set()

    def look(execute, sql, params, many, context):
        if "aggregates_usagelog" in sql and "sum(" in sql:
            execute(
                "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')", None, False, context
            )
            limits.add(context["cursor"].fetchone())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        act(client, RECORDED, action, UsageDay.objects.filter(organization=rolled))
    assert limits == {("0", "0")}


def test_staff_accept_that_a_day_is_kept(rolled, client):
    day = UsageDay.objects.get(organization=rolled, date="2025-03-01")
    UsageDay.objects.filter(pk=day.pk).update(kept_at="2025-05-01T00:00Z", kept_reason="partition")
    page = client.get(f"{RECORDED}?state=kept")
    assert states(page) == [("Acme", "2025-03-01", "kept")]
    assert "is missing, or was made anew" in page.content.decode()
    assert act(client, RECORDED, "accept", [day]) == [("success", "Accepted 1 kept day.")]
    assert not UsageDay.objects.alarming().exists()
    assert act(client, RECORDED, "accept", [day]) == [("success", "Accepted 0 kept days.")]


def test_a_day_of_charges_alone_is_listed_with_what_they_cost(acme, call, client, staff):
    record(acme, [call("2025-03-01T10:00Z", model="", cost="-2.5"), call("2025-03-01T10:00Z", kind="charge", cost="1")])
    roll_up()
    client.force_login(staff)
    page = client.get("/admin/aggregates/dailyaggregate/")
    totals = page.context["totals"]
    assert (totals.calls, totals.charges, totals.charge_cost) == (0, 2, Decimal("-1.5"))
    assert "<td>2</td><td>-1.500000000000</td>" in page.content.decode()
    assert client.get("/admin/aggregates/dailybreakdown/").status_code == 200
    log = client.get("/admin/aggregates/usagelog/").content.decode()
    assert log.count('<td class="field-kind">Charge</td>') == 2
