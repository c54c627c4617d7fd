"""Every page says which version of the site shows it, and programs can ask."""

import re
from collections.abc import Callable

import pytest
from django.template.loader import render_to_string
from django.test import Client

from aggregates import __version__
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Organization, UsageLog, User
from tests.processes import BASE

FOOTER = re.compile(r"<footer.*?>(.*?)</footer>", re.DOTALL)
WORDS = f"Usage {__version__}"
OF_ACME = ("", "changes/", "groups/", "calls/", "calls/{call}/", "arrivals/", "keys/", "prices/", "prices/comparison/")
PAGES = (*(f"/o/acme/{page}" for page in OF_ACME), "/", "/platform/", "/api/", "/admin/", "/admin/aggregates/usagelog/")


def footer(page: str) -> str:
    words = FOOTER.search(page)
    assert words, page
    return re.sub(r"<.*?>", "", words[1]).strip()


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_it(
    client: Client, acme: Organization, other: Organization, staff: User, call: Callable[..., Call], page: str
) -> None:
    for organization in (acme, other):  # else there would be nothing to choose on the first page
        Membership.objects.create(user=staff, organization=organization, role="admin")
    record(acme, [call("2025-07-01T12:00Z")])
    client.force_login(staff)
    answer = client.get(page.format(call=UsageLog.objects.get().pk))
    assert (answer.status_code, footer(answer.content.decode())) == (200, WORDS)


@pytest.mark.parametrize("page", ["/login/", "/o/nowhere/"])
def test_pages_for_nobody_in_particular_show_it(client: Client, alice: User, page: str) -> None:
    if page == "/o/nowhere/":
        client.force_login(alice)
    assert footer(client.get(page).content.decode()) == WORDS


@pytest.mark.parametrize("name", ["403.html", "403_csrf.html", "404.html", "500.html"])
def test_errors_show_it_without_a_request(name: str) -> None:
    assert footer(render_to_string(name)) == WORDS


def test_the_description_of_the_api_names_it(client: Client) -> None:
    assert client.get("/api/v1/openapi.json").json()["info"]["version"] == __version__


def test_it_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(
        r"^## \[?(\d+\.\d+\.\d+)\]? - (Unreleased|\d{4}-\d\d-\d\d)$", (BASE / "CHANGELOG.md").read_text(), re.M
    )
    numbers = [tuple(map(int, number.split("."))) for number, _ in versions]
    assert versions[0][0] == __version__
    assert numbers == sorted(numbers, reverse=True)
    assert "Unreleased" not in [state for _, state in versions[1:]]
