"""The groups to filter by: those that match, the dearest first, each with what it costs; those that are picked stay."""

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User

Listed = list[tuple[str, bool, str]]


@pytest.fixture
def choose(client: Client, bob: User, acme: Organization) -> Callable[..., str]:
    def answer(parameters: str) -> str:
        client.force_login(bob)
        response = client.get(f"/o/acme/values/?{parameters}")
        assert response.status_code == 200
        return " ".join(html.unescape(response.content.decode()).split())

    return answer


def listed(page: str) -> Listed:
    found = re.findall(
        r'name="pick" value="([^"]*)"( checked)?> '
        r'<span class="option-name" title="[^"]*">(?:<i class="ours">)?[^<]*(?:</i>)?</span>'
        r'(?: <span class="option-cost" title="[^"]*">([^<]*)</span>)?',
        page,
    )
    return [(value, bool(checked), cost) for value, checked, cost in found]


@pytest.fixture
def costs(acme: Organization, call: Callable[..., Call]) -> dict[str, str]:
    costs = {"agent-1": "1.5", "agent-2": "4", "Bob": "2", "": "3", "my agent": "0.5"}
    now = timezone.now()
    record(acme, [call(now.isoformat(), user_id=user, cost=cost, operation="chat") for user, cost in costs.items()])
    record(acme, [call((now - timedelta(days=3)).isoformat(), user_id="agent-3", cost="9", operation="other")])
    return costs


def test_they_are_those_that_match_with_what_each_costs(choose: Callable[..., str], costs: dict[str, str]) -> None:
    agents = [("agent-2", False, "$4.00"), ("agent-1", False, "$1.50"), ("my agent", False, "$0.500")]
    assert listed(choose("operation=chat&add=user&value=AGENT")) == agents
    assert listed(choose("operation=chat&add=not_user&value=agent&match=begin")) == agents[:2]
    assert [value for value, _, _ in listed(choose("add=user"))] == [
        "agent-3",
        "agent-2",
        "",
        "Bob",
        "agent-1",
        "my agent",
    ]
    assert "Nothing matches “%”" in choose("add=user&value=%25")


def test_those_that_are_filtered_by_are_not_listed_and_those_that_are_picked_stay(
    choose: Callable[..., str], costs: dict[str, str]
) -> None:
    page = choose("user=agent-2&not_user=agent-3&pick=Bob&add=user&value=agent")
    assert listed(page) == [("Bob", True, ""), ("agent-1", False, "$1.50"), ("my agent", False, "$0.500")]
    assert "Pick all 3" in page


def test_that_there_are_more_is_said(choose: Callable[..., str], acme: Organization, call: Callable[..., Call]) -> None:
    now = timezone.now().isoformat()
    record(acme, [call(now, user_id=f"user-{number}") for number in range(130)])
    assert "and more" in choose("add=user")
    page = choose("add=user&value=user&user=user-7")
    assert (len(listed(page)), "and more" in page) == (100, True)
    assert "and more" not in choose("add=user&value=user-1")


def test_picked_values_are_added_and_what_is_typed_only_searched_for_them(
    client: Client, bob: User, costs: dict[str, str]
) -> None:
    client.force_login(bob)
    for typed, expected in (
        ("add=user&listed=1&value=agen&pick=agent-1&pick=Bob", "?user=agent-1&user=Bob"),
        ("add=not_user&listed=1&value=&pick=", "?not_user="),
        ("add=user&listed=1&value=Bob", "?user=Bob"),
        ("add=user&listed=1&value=", ""),
        ("add=user&value=", "?user="),
    ):
        response = client.get(f"/o/acme/?{typed}", headers={"HX-Request": "true"})
        assert response["HX-Push-Url"] == f"/o/acme/{expected}", typed
