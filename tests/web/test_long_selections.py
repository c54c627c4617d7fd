"""Filters that are too long for an address: the site keeps them, so that each of its links leads somewhere."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Kind, Organization, StoredSelection, User
from aggregates.ops import tasks
from aggregates.query import stored_selections
from aggregates.query.selection import Selection
from aggregates.rollup.names_elsewhere import replace_elsewhere
from tests.lot import share

LONGEST = 3_800  # characters of a link, of the 4,094 that a first line may have
LONG = [f"{number:02}/" + "é" * 126 for number in range(20)]  # 255 bytes each, three times that in an address


@pytest.fixture
def page(client: Client, alice: User) -> Callable[[str], str]:
    client.force_login(alice)

    def of(path: str) -> str:
        assert len(path) < LONGEST
        response = client.get(path)
        assert response.status_code == 200
        content = response.content.decode()
        assert 'id="problems"' not in content
        return content

    return of


@pytest.fixture
def used(acme: Organization, call: Callable[..., Call]) -> Callable[..., None]:
    def by(names: list[str]) -> None:
        now = timezone.now()
        record(acme, [call(now, user_id=name, cost=1 + place) for place, name in enumerate(names)])

    return by


def links(content: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="((?:\?|/o/)[^"]*)"', content)]


def other_of(content: str) -> str | None:
    found = re.findall(r'other-name" href="([^"]*)"', content)
    return "/o/acme/" + unescape(found[0]) if found else None


def cost_of(content: str) -> str:
    return re.findall(r'class="tile-value[^"]*" title="\$([0-9.,]*)"', content)[0]


def test_other_of_long_names_can_be_followed_to_the_last(page: Callable[[str], str], used: Callable[..., None]) -> None:
    used(LONG)
    content = page("/o/acme/?range=7d&by=user")
    costs = [cost_of(content)]
    while following := other_of(content):
        assert not [link for link in links(content) if len(link) > LONGEST]
        content = page(following)
        costs.append(cost_of(content))

    assert [cost.split(".")[0] for cost in costs] == ["210", "78", "10"]
    found = {link for link in links(content) if link.startswith("?") and "range=7d" in link}  # others: without usage
    for link in share(sorted(found), 0, 4):
        assert cost_of(page("/o/acme/" + link))


def test_other_of_many_short_names_can_be_followed_to_the_last(
    page: Callable[[str], str], used: Callable[..., None]
) -> None:
    used([f"u{number}" for number in range(150)])
    content, seen = page("/o/acme/?range=7d&by=user"), 0
    while following := other_of(content):
        content, seen = page(following), seen + 1

    assert seen == 18
    assert cost_of(content) == "21.000000000000"


def test_what_is_filtered_can_be_changed_by_one_value(page: Callable[[str], str], used: Callable[..., None]) -> None:
    used(LONG)
    content = page(other_of(page("/o/acme/?range=7d&by=user")) or "")
    removal = next(link for link in links(content) if "drop=" in link)
    fewer = page("/o/acme/" + removal)

    assert cost_of(fewer) > cost_of(content)
    assert content.count('class="chip chip-not"') == 8
    assert fewer.count('class="chip chip-not"') == 7
    leaving = re.findall(r'group-without" href="([^"]*)"', content)[0]
    assert page("/o/acme/" + unescape(leaving)).count('class="chip chip-not"') == 9
    only = re.findall(r'class="group-name" href="([^"]*)"', content)[0]
    assert page("/o/acme/" + unescape(only)).count('class="chip"') == 1


def test_the_menus_of_bars_lead_somewhere_too(page: Callable[[str], str], used: Callable[..., None]) -> None:
    used(LONG)
    content = page(other_of(page("/o/acme/?range=7d&by=user")) or "")
    (written,) = re.findall(r'<script id="bar-links" type="application/json">(.*?)</script>', content)
    linked = json.loads(written)
    dates = "from={}&to={}".format(*linked["dates"][-1].split("/") * 2)
    for group in linked["groups"]["explore"]:
        for name, address in group.items():
            followed = page(address + dates if name == "calls" else address)
            assert name == "calls" or cost_of(followed) != cost_of(content)


def test_rows_that_a_group_opens_to_lead_somewhere_too(
    page: Callable[[str], str], used: Callable[..., None], client: Client
) -> None:
    used(LONG)
    others = other_of(page("/o/acme/?range=7d&by=user")) or ""
    content = page(others.replace("by=user", "by=model&subgroup=operation"))
    table = content[content.index("data-subgroups") :]
    (group, *_) = [unescape(link) for link in re.findall(r'<a href="(\?[^"]*)" title=', table)]
    rows = links(client.get(f"/o/acme/subgroups/{group}").content.decode())
    assert rows
    for link in rows:
        assert cost_of(page(f"/o/acme/{link}")) == cost_of(content)


def test_the_same_filters_have_one_name_everywhere(
    client: Client, page: Callable[[str], str], acme: Organization, used: Callable[..., None]
) -> None:
    used(LONG)
    content = page(other_of(page("/o/acme/?range=7d&by=user")) or "")
    number = StoredSelection.objects.count()
    page(other_of(page("/o/acme/?range=7d&by=user")) or "")
    assert StoredSelection.objects.count() == number

    exports = [link for link in links(content) if ".csv" in link or ".xlsx" in link]
    assert len(exports) == 4
    for link in exports:
        assert client.get(link).status_code == 200
    secret = keys.create(acme, "report", None, Kind.READ)[1].text
    query = next(link for link in exports if "usage.csv" in link).partition("?")[2]
    answer = client.get(f"/api/v1/usage?{query}", headers={"Authorization": f"Bearer {secret}"}).json()
    assert answer["totals"]["cost"] == cost_of(content)


def test_others_cannot_use_it(
    client: Client, charlie: User, page: Callable[[str], str], used: Callable[..., None]
) -> None:
    used(LONG)
    page("/o/acme/?range=7d&by=user")
    stored = StoredSelection.objects.get()
    client.force_login(charlie)

    content = client.get(f"/o/other/?set={stored.key}").content.decode()
    assert "These filters are no longer kept" in content
    assert LONG[-1] not in content


def test_what_is_no_longer_kept_is_said_with_a_way_on(client: Client, alice: User) -> None:
    client.force_login(alice)
    content = client.get("/o/acme/?set=nothing").content.decode()
    assert "<b>Set</b>: These filters are no longer kept: choose them again." in content
    assert "Shown instead" in content


def test_a_page_is_shown_where_nothing_can_be_written(
    page: Callable[[str], str], used: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    used(LONG)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        page("/o/acme/?range=7d&by=user")
        transaction.set_rollback(True)
    assert "could not be kept" in caplog.text


def test_what_nobody_uses_is_forgotten_and_there_is_an_end_to_it(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, page: Callable[[str], str], used: Callable[..., None]
) -> None:
    used(LONG)
    page("/o/acme/?range=7d&by=user")
    StoredSelection.objects.update(used_at=timezone.now() - stored_selections.UNUSED + timedelta(days=2))
    tasks.nightly()
    assert StoredSelection.objects.count() == 1
    page("/o/acme/?range=7d&by=user")
    assert StoredSelection.objects.get().used_at > timezone.now() - timedelta(days=1)
    StoredSelection.objects.update(used_at=timezone.now() - stored_selections.UNUSED)
    tasks.nightly()
    assert StoredSelection.objects.count() == 0

    monkeypatch.setattr(stored_selections, "MOST", 3)
    selection = Selection(acme, ranges.preset("7d", timezone.now(), "UTC"))
    for number in range(5):
        newest = selection.excluding("user", [f"{number}/{place}" for place in range(101)])
        stored_selections.keep(newest)
    assert StoredSelection.objects.count() == 3
    assert stored_selections.find(acme, stored_selections.key_of(newest)) == ((), newest.excluded)


def test_a_name_that_is_replaced_is_in_none(
    acme: Organization, page: Callable[[str], str], used: Callable[..., None]
) -> None:
    used(LONG)
    page("/o/acme/?range=7d&by=user")
    assert replace_elsewhere(acme, LONG[0], "somebody", apply=True)["stored selections"] == 0
    assert replace_elsewhere(acme, LONG[-1], "somebody", apply=False)["stored selections"] == 1
    assert StoredSelection.objects.count() == 1
    replace_elsewhere(acme, LONG[-1], "somebody", apply=True)
    assert StoredSelection.objects.count() == 0


def test_a_file_that_is_refused_has_a_way_back(client: Client, alice: User) -> None:
    client.force_login(alice)
    response = client.get("/o/acme/usage.csv?by=colour", headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 400
    content = response.content.decode()
    assert "by: There is no choice “colour”." in content
    assert '<a class="button" href="/o/acme/?by=colour">Back</a>' in content
    assert client.get("/o/acme/usage.csv?by=colour")["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("asked_on", "back"),
    [
        ("http://testserver/o/acme/calls/?by=colour", "/o/acme/calls/?by=colour"),
        ("http://testserver/o/acme/calls.csv?by=colour", "/o/acme/?sort=colour"),  # the page that says so
        ("http://testserver/accounts/login/?next=/o/acme/calls.csv", "/o/acme/?sort=colour"),
        ("https://example.com/o/acme/calls/", "/o/acme/?sort=colour"),
    ],
)
def test_the_way_back_leads_to_where_a_file_was_asked_for(
    client: Client, alice: User, asked_on: str, back: str
) -> None:
    client.force_login(alice)
    told = {"Accept": "text/html,*/*;q=0.8", "Referer": asked_on}
    response = client.get("/o/acme/calls.csv?sort=colour", headers=told)
    assert response.status_code == 400
    assert f'<a class="button" href="{back}">Back</a>' in response.content.decode()
