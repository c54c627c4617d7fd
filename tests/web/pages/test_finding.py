"""What a typed text may mean: of one's own organization alone, and within bounds."""

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User


@pytest.fixture
def find(client: Client, bob: User, acme: Organization) -> Callable[..., list[tuple[str, str]]]:
    def found(typed: str, parameters: str = "") -> list[tuple[str, str]]:
        client.force_login(bob)
        response = client.get(f"/o/acme/find/?{parameters}", {"q": typed} if not parameters else None)
        assert response.status_code == 200
        links = re.findall(r'<a href="([^"]*)"><bdi>([^<]*)</bdi>', response.content.decode())
        return [(html.unescape(name), html.unescape(address)) for address, name in links]

    return found


def test_it_finds_what_is_of_this_organization_alone(
    acme: Organization, other: Organization, call: Callable[..., Call], find: Callable[..., list[tuple[str, str]]]
) -> None:
    now = timezone.now().isoformat()
    record(acme, [call(now, user_id="night-alice", request_id="resp_1")])
    record(other, [call(now, user_id="night-charlie", request_id="resp_2")])
    assert find("night") == [("night-alice", "/o/acme/?user=night-alice")]
    assert [name for name, _ in find("resp_1")] == ["resp_1"]
    assert find("resp_2") == []
    assert find("Other") == []


def test_a_key_is_found_by_the_name_that_somebody_gave_it(
    acme: Organization, call: Callable[..., Call], find: Callable[..., list[tuple[str, str]]]
) -> None:
    key, _ = keys.create(acme, "Night batch", None)
    record(acme, [call(timezone.now().isoformat())._replace(key=key.prefix)])
    assert find("batch") == [(f"Night batch ({key.prefix})", f"/o/acme/?key={key.prefix}")]


def test_fiscal_years_are_found_where_they_are_not_just_years(
    acme: Organization, find: Callable[..., list[tuple[str, str]]]
) -> None:
    assert find("fiscal") == []
    Organization.objects.update(first_month=4)
    assert len(find("fiscal")) == 2


def test_who_manages_nothing_is_led_to_no_settings(find: Callable[..., list[tuple[str, str]]]) -> None:
    assert find("Prices") == find("API keys") == find("Import") == []
    assert ("What arrived", "/o/acme/arrivals/") in find("arrived")


def test_there_are_a_few_of_each_kind(
    acme: Organization, call: Callable[..., Call], find: Callable[..., list[tuple[str, str]]]
) -> None:
    now = timezone.now().isoformat()
    record(acme, [call(now, user_id=f"agent-{number}", cost=str(number)) for number in range(9)])
    assert [name for name, _ in find("agent-")] == [f"agent-{number}" for number in (8, 7, 6, 5, 4)]


@pytest.mark.parametrize("typed", ["\0", "%00", "x" * 5_000, "'", "\\", "%", "‮abc"])
def test_no_text_is_too_much_for_it(find: Callable[..., list[tuple[str, str]]], typed: str) -> None:
    assert isinstance(find(typed), list)
    assert isinstance(find("", f"range=nonsense&by=x&user={'y' * 300}"), list)
