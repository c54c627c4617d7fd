"""The page of all groups: in the order that one asks for, found by name, a page at a time."""

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from aggregates.accounts import keys
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User

JULY = "range=custom&from=2025-07-01&to=2025-07-31"
MakeCall = Callable[..., Call]


@pytest.fixture
def see(client: Client, bob: User, acme: Organization) -> Callable[..., str]:
    def page(parameters: str = "", status: int = 200, **headers: str) -> str:
        client.force_login(bob)
        response = client.get(f"/o/acme/groups/?{JULY}&{parameters}", headers=headers)
        assert response.status_code == status
        return html.unescape(response.content.decode())

    return page


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*"[^>]*title="([^"]*)"', page)


def test_headings_lead_to_other_orders_and_back(acme: Organization, call: MakeCall, see: Callable[..., str]) -> None:
    costs = {"alice": ("1", "3"), "bob": ("2", "1"), "charlie": ("4", "5")}
    for user, (june, july) in costs.items():
        record(
            acme,
            [call("2025-06-15T12:00Z", user_id=user, cost=june), call("2025-07-15T12:00Z", user_id=user, cost=july)],
        )

    page = see("by=user")
    assert names(page) == ["charlie", "alice", "bob"]
    for heading, expected in (("Change", ["alice", "charlie", "bob"]), ("User", ["alice", "bob", "charlie"])):
        link = re.search(rf'<a href="\?([^"]*)">{heading}<', page)
        assert link
        ordered = see(link[1])
        assert names(ordered) == expected
        back = re.search(rf'aria-sort="\w+"><a href="\?([^"]*)">{heading}<', ordered)
        assert back
        assert names(see(back[1])) == expected[::-1]


def test_it_has_pages_and_shows_the_last_for_those_beyond(
    acme: Organization, call: MakeCall, see: Callable[..., str]
) -> None:
    record(acme, [call(f"2025-07-15T12:00:{number:02}Z", user_id=f"user-{number:03}") for number in range(60)])

    first, second = see("by=user&sort=name"), see("by=user&sort=name&page=2")
    assert names(first) + names(second) == [f"user-{number:03}" for number in range(60)]
    assert "1 to 50 of 60" in first and "51 to 60 of 60" in second
    assert ('rel="next"' in first, 'rel="prev"' in first) == (True, False)
    assert ('rel="next"' in second, 'rel="prev"' in second) == (False, True)
    assert names(see("by=user&sort=name&page=77")) == names(second)


def test_groups_are_found_by_the_names_that_people_gave_them(
    acme: Organization, call: MakeCall, see: Callable[..., str]
) -> None:
    key, _ = keys.create(acme, "Night batch", None)
    record(acme, [call("2025-07-15T12:00Z", cost="2")._replace(key=key.prefix), call("2025-07-15T13:00Z", cost="7")])

    assert names(see("by=key&find=BATCH")) == [f"Night batch ({key.prefix})"]
    assert names(see("by=key&find=day")) == []
    assert "“day”" in see("by=key&find=day")


def test_who_was_there_only_before_is_listed_too(acme: Organization, call: MakeCall, see: Callable[..., str]) -> None:
    record(
        acme, [call("2025-06-15T12:00Z", user_id="gone", cost="4"), call("2025-07-15T12:00Z", user_id="new", cost="1")]
    )

    page = " ".join(see("by=user").split())
    assert "2 users, 1 only before" in page
    assert names(page) == ["new", "gone"]
    assert "−$4.00" in page and "+$1.00" in page


@pytest.mark.parametrize(
    "wrong",
    [
        "page=0",
        "page=x",
        "page=1_0",
        "sort=size",
        "find=%00",
        "by=weather",
        "only=not_user:a",
        "leave=not_user:a",
        "drop=a:b",
    ],
)
def test_what_is_wrong_in_the_address_is_said(see: Callable[..., str], wrong: str) -> None:
    assert 'id="problems"' in see(wrong)


def test_each_table_of_the_dashboard_leads_to_all_of_its_groups(
    acme: Organization, call: MakeCall, client: Client, bob: User
) -> None:
    record(acme, [call("2025-07-15T12:00Z", user_id="alice", operation="chat")])
    client.force_login(bob)
    page = html.unescape(client.get(f"/o/acme/?{JULY}&operation=chat&measure=calls").content.decode())
    links = re.findall(r'href="(/o/acme/groups/[^"]*)"', page)
    assert len(links) == 4
    for link in links:
        assert "operation=chat" in link and "from=2025-07-01" in link
        assert client.get(link).status_code == 200
