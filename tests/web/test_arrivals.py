"""The page of what arrived: calm when all is well, and exact about what is not."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from aggregates.accounts import keys
from aggregates.ingest.arrivals import Source, Tally, count_arrivals
from aggregates.models import ArrivalOutcome, Organization, User

URL = "/o/acme/arrivals/"
GOOD: dict[str, Any] = {"timestamp": "2025-03-01T12:00:00Z", "model": "gpt-5"}


@pytest.fixture
def send(client: Client, acme: Organization) -> Callable[[object], int]:
    secret = keys.create(acme, "checkout", None)[1].text

    def sent(rows: object) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        return client.post("/api/v1/usage", json.dumps(rows), "application/json", headers=headers).status_code

    return sent


def text(client: Client, query: str = "") -> str:
    response = client.get(URL + query)
    assert response.status_code == 200
    main = response.content.decode().split("<main")[1].split("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def test_it_is_calm_and_short_when_all_is_well(client: Client, bob: User, send: Callable[[object], int]) -> None:
    send([{**GOOD, "request_id": "1"}, {**GOOD, "request_id": "2"}])
    client.force_login(bob)
    page = text(client)

    assert "All is well In the last 24 hours 2 calls arrived from 1 key. Nothing was rejected" in page
    assert "Rejected:" not in page


def test_it_says_what_was_rejected_and_why(client: Client, bob: User, send: Callable[[object], int]) -> None:
    send([GOOD, {**GOOD, "cost": "many"}, {**GOOD, "cost": "few"}])
    client.force_login(bob)
    page = text(client)

    assert "Something needs a look" in page
    assert "1 call arrived from 1 key. Beside them: 2 calls rejected." in page
    assert re.search(r"Rejected: 2 calls .* cost: expected an amount of US dollars .* 2 ", page)


def test_it_says_how_to_begin_where_nothing_arrived(client: Client, alice: User, bob: User) -> None:
    client.force_login(alice)
    assert "Nothing arrived in the last 24 hours There is no key yet. Create one" in text(client)
    client.force_login(bob)
    assert "Create one" not in text(client)


def test_keys_that_never_sent_are_on_it(client: Client, bob: User, acme: Organization) -> None:
    keys.create(acme, "quiet service", None)
    client.force_login(bob)

    assert re.search(r"quiet service usage_\w{8}… never none 0 0 0", text(client))


@pytest.mark.parametrize("period", ["", "?range=7d", "?range=30d", "?range=nonsense", "?range="])
def test_it_goes_back_as_far_as_it_is_asked(
    client: Client, bob: User, send: Callable[[object], int], period: str
) -> None:
    send(GOOD)
    client.force_login(bob)

    words = {"?range=7d": "7 days", "?range=30d": "30 days"}.get(period, "24 hours")
    assert f"In the last {words} 1 call arrived" in text(client, period)


def test_what_others_sent_is_not_on_it(client: Client, bob: User, other: Organization) -> None:
    tally = Tally()
    tally.add(ArrivalOutcome.REJECTED, 3, "a reason of theirs")
    count_arrivals(Source.of_file(other, "/home/charlie/theirs.csv"), tally)
    client.force_login(bob)

    assert "theirs" not in text(client)
    assert client.get("/o/other/arrivals/").status_code == 404


def test_names_are_text_and_no_markup(client: Client, bob: User, acme: Organization) -> None:
    tally = Tally()
    tally.add(ArrivalOutcome.NOT_UNDERSTOOD, 1, "<b>scope</b>: <script>")
    count_arrivals(Source.of_file(acme, "<i>file.csv"), tally)
    client.force_login(bob)
    page = client.get(URL).content.decode()

    assert "<b>scope" not in page
    assert "<i>file" not in page
    assert "&lt;i&gt;file" in page


def test_every_member_finds_it(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert f'<a href="{URL}">What arrived</a>' in client.get("/o/acme/").content.decode()


def test_it_says_what_was_refused_of_keys_and_of_files(
    client: Client, bob: User, acme: Organization, send: Callable[[object], int]
) -> None:
    for name in ("one.csv", "two.csv"):
        tally = Tally()
        tally.only_refused("line 17: expected a CSV header")
        count_arrivals(Source.of_file(acme, name), tally)
    assert send("no row") == 422
    assert client.get(URL).status_code == 302
    client.force_login(bob)
    page = text(client)

    assert "Beside them: 2 files refused whole, 1 call rejected." in page
    assert re.search(r"one\. ?csv file .* refused", page)
    assert "Refused whole: 1 file" in page
    assert "line 17" not in page


def test_what_is_good_to_know_leaves_all_well(client: Client, bob: User, acme: Organization) -> None:
    tally = Tally()
    tally.add(ArrivalOutcome.ACCEPTED, 2)
    tally.add(ArrivalOutcome.SAME_CALL, 1, "a and b")
    tally.add(ArrivalOutcome.ADJUSTED, 2, "user_id: shortened: expected at most 256 bytes of text, got 1,204")
    count_arrivals(Source.of_file(acme, "calls.csv"), tally)
    client.force_login(bob)
    page = text(client)

    assert "All is well" in page
    assert "Told by several: 1 report" in page
    assert "expected at most 256 bytes of text 2 " in page
