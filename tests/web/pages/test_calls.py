"""The calls behind the numbers: each is listed once, whatever the filter, and exported as it can be imported."""

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import F
from django.test import Client

from aggregates.accounts import keys
from aggregates.domain.calls import FIELDS, Call
from aggregates.ingest import record
from aggregates.models import Organization, PriceOverride, UsageLog, User
from aggregates.query import call_order
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization
from tests.history import some_calls
from tests.words import NOT_KEPT

URL = "/o/acme/calls/"
JULY = "?range=custom&from=2025-07-01&to=2025-07-31"
MakeCall = Callable[..., Call]


@pytest.fixture
def as_bob(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


@pytest.fixture(scope="module")
def summer(shared: None, call: MakeCall) -> None:
    """300 calls from June to August; a hundred more of July are of the same moment."""
    acme = make_organization("acme")
    record(acme, some_calls(call, datetime(2025, 6, 20, tzinfo=UTC), datetime(2025, 8, 5, tzinfo=UTC), 300, every=2))
    record(acme, [call("2025-07-20T12:00Z", request_id=f"same-{n}", user_id="alice", cost="1") for n in range(100)])


@pytest.fixture(scope="module")
def rolled(summer: None) -> None:
    roll_up()


@pytest.fixture
def usage(summer: None, acme: Organization) -> Organization:
    return acme


def text(client: Client, url: str, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def listed(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-call="(\d+)"', page)]


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    return found[1] if found else None


def walk(client: Client, query: str, meanwhile: Callable[[], object] = lambda: None) -> list[list[int]]:
    """The calls of every page, from the newest on."""
    pages, address = list[list[int]](), query
    while True:
        page = text(client, URL + address)
        pages.append(listed(page))
        following = link(page, "next")
        if following is None:
            return pages
        address = following
        meanwhile()


QUESTIONS = pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("", {}),
        ("&user=alice", {"user_id": "alice"}),
        ("&user=alice&user=", {"user_id__in": ["alice", ""]}),
        ("&operation=search&subject=player-3", {"operation": "search", "subject_id": "player-3"}),
        ("&status=error", {"status": "error"}),
        ("&status=ok&model=model-1", {"status": "ok", "model": "model-1"}),
        ("&status=unpriced", {"cost": None}),
        ("&since=2025-07-20T11:00Z&until=2025-07-20T13:00Z", {"timestamp__date": date(2025, 7, 20), "cost": 1}),
    ],
)


@QUESTIONS
def test_its_pages_have_each_call_of_the_log_once(
    usage: Organization, as_bob: Client, query: str, filters: dict
) -> None:
    check_pages(as_bob, query, filters)


@QUESTIONS
def test_its_pages_have_each_call_of_the_log_once_when_days_are_rolled_up(
    rolled: None, usage: Organization, as_bob: Client, query: str, filters: dict
) -> None:
    check_pages(as_bob, query, filters)


def check_pages(as_bob: Client, query: str, filters: dict) -> None:
    july = UsageLog.objects.filter(timestamp__range=("2025-07-01T00:00Z", "2025-07-31T23:59:59.999999Z"))
    expected = list(july.filter(**filters).order_by("-timestamp", "-id").values_list("id", flat=True))

    pages = walk(as_bob, JULY + query)

    assert [number for page in pages for number in page] == expected
    assert expected
    assert f"<b>{len(expected):,}</b> call" in text(as_bob, URL + JULY + query)


@QUESTIONS
def test_by_cost_its_pages_have_each_call_once_the_most_expensive_first(
    usage: Organization, as_bob: Client, query: str, filters: dict
) -> None:
    july = UsageLog.objects.filter(timestamp__range=("2025-07-01T00:00Z", "2025-07-31T23:59:59.999999Z"))
    order = (F("cost").desc(nulls_last=True), "-id")
    expected = list(july.filter(**filters).order_by(*order).values_list("id", flat=True))

    pages = walk(as_bob, f"{JULY}{query}&sort=cost")

    assert [number for page in pages for number in page] == expected


def test_the_list_has_the_columns_that_the_address_names(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    timed = {"latency_ms": 2000, "output_tokens": 150, "cached_tokens": 7, "input_tokens": 1234, "subject_id": "doc-1"}
    record(
        acme, [call("2025-07-03T12:00Z", cost="12.5", **timed), call("2025-07-02T12:00Z", cost="0.004", latency_ms=7)]
    )
    record(acme, [call("2025-07-01T12:00Z", cost="-1", kind="charge", model="", provider="", request_id="credit")])

    def cells(query: str) -> list[list[str]]:
        page = as_bob.get(URL + JULY + query).content.decode()
        rows = re.findall(r"<tr class=\"call .*?</tr>", page, re.S)
        found = [re.findall(r"<td class=\"(?!tokens)[^>]*>(.*?)</td>", row, re.S) for row in rows]
        return [[html.unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in row][1:] for row in found]

    plain = text(as_bob, URL + JULY)
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', plain)[1:] == [
        "Operation", "Model", "User", "Input", "Output", "Cost", "Status",
    ]  # fmt: skip
    assert [row[-2] for row in cells("")] == ["$12.50000", "$0.00400", "−$1.00000"], "one scale in a column"
    asked = "&show=cost&show=subject&show=cached&show=took&show=speed"
    chosen = text(as_bob, URL + JULY + asked)
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', chosen)[1:] == [
        "Subject", "Cached", "Took", "Tokens/s", "Cost",
    ]  # fmt: skip
    assert cells(asked)[0] == ["doc-1", "7", "2,000\u202fms", "75.0", "$12.50000"]
    assert cells(asked)[1][2:4] == ["7\u202fms", "–"], "without output there is no speed"
    assert cells(asked)[2][1:] == ["–", "–", "–", "−$1.00000"]
    assert "show=cost" in str(link(text(as_bob, f"{URL}{listed(chosen)[0]}/{JULY}&show=cost"), "next"))
    assert 'id="problems"' in text(as_bob, f"{URL}?show=weather")


@QUESTIONS
@pytest.mark.parametrize("sort", ["", "&sort=cost"])
def test_a_call_leads_to_the_one_before_and_after_it_in_its_list(
    rolled: None, usage: Organization, as_bob: Client, query: str, filters: dict, sort: str
) -> None:
    july = UsageLog.objects.filter(timestamp__range=("2025-07-01T00:00Z", "2025-07-31T23:59:59.999999Z"))
    order = (F("cost").desc(nulls_last=True), "-id") if sort else ("-timestamp", "-id")
    listed = list(july.filter(**filters).order_by(*order).values_list("id", flat=True))
    boundary = "costnone-1" if sort else "1753012800000000-1"
    places = {0, 1, len(listed) // 2, len(listed) - 2, len(listed) - 1}

    for place in places:
        page = text(as_bob, f"{URL}{listed[place]}/{JULY}{query}{sort}&before={boundary}")
        for rel, number in (("prev", place - 1), ("next", place + 1)):
            found = link(page, rel)
            if 0 <= number < len(listed):
                assert found is not None and found.startswith(f"{URL}{listed[number]}/{JULY}"), (place, rel)
                assert "before=" in found, "it leads back to the same page of the list"
            else:
                assert found is None, (place, rel)


def test_a_call_that_is_not_in_the_list_has_none_before_or_after_it(
    rolled: None, usage: Organization, as_bob: Client
) -> None:
    june = UsageLog.objects.filter(timestamp__lt="2025-07-01T00:00Z").latest("timestamp").pk
    alices = UsageLog.objects.filter(user_id="alice", timestamp__date="2025-07-20").latest("timestamp").pk
    for address in (
        f"{URL}{june}/{JULY}",
        f"{URL}{alices}/{JULY}&not_user=alice",
        f"{URL}{alices}/{JULY}&status=error",
    ):
        page = text(as_bob, address)
        assert link(page, "prev") is link(page, "next") is None


def test_what_a_call_is_leads_to_those_alike_in_the_list(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    credit = {"kind": "charge", "model": "", "provider": "", "request_id": "credit"}
    record(
        acme, [call("2025-07-03T12:00Z", cost=None, request_id="none"), call("2025-07-04T12:00Z", cost="-1", **credit)]
    )
    for request_id, kinds, day in (("none", ("ok", "unpriced"), "03"), ("credit", ("charge",), "04")):
        number = UsageLog.objects.get(request_id=request_id).pk
        page = text(as_bob, f"{URL}{number}/{JULY}&sort=cost&since=2025-07-01T00:00Z&until=2025-07-05T00:00Z")
        links = re.findall(rf'href="{URL}(\?[^"]*)" title', page)
        for kind in kinds:
            (of_kind,) = [each for each in links if f"status={kind}" in each]
            assert "sort=cost" in of_kind and "since" not in of_kind
            assert number in listed(text(as_bob, URL + of_kind))
        (of_day,) = [each for each in links if f"from=2025-07-{day}&to=2025-07-{day}" in each]
        assert number in listed(text(as_bob, URL + of_day))


def test_by_cost_dearer_leads_back_to_the_first_page(as_bob: Client, usage: Organization, call: MakeCall) -> None:
    credit = {"kind": "charge", "model": "", "provider": ""}
    record(usage, [call("2025-07-03T12:00Z", cost="-3.5", request_id="credit", **credit)])
    record(usage, [call("2025-07-02T12:00Z", cost=None, request_id=f"none-{n}") for n in range(120)])
    addresses = [f"{JULY}&sort=cost"]
    while following := link(text(as_bob, URL + addresses[-1]), "next"):
        addresses.append(following)
    pages = [listed(text(as_bob, URL + address)) for address in addresses]

    address: str | None = addresses[-1]
    back = list[list[int]]()
    while address:
        page = text(as_bob, URL + address)
        back.append(listed(page))
        address = link(page, "prev")

    assert back[::-1] == pages
    assert len(pages) > 4


def test_by_cost_each_call_says_its_day(as_bob: Client, usage: Organization, call: MakeCall) -> None:
    record(usage, [call("2025-07-30T12:00:01Z", cost="99")])
    page = text(as_bob, f"{URL}{JULY}&sort=cost")

    assert ">30 Jul 2025, 12:00:01<" in page
    assert "rowgroup" not in page
    assert f'href="{JULY}">Newest first</a>' in page


def test_no_call_comes_twice_while_others_arrive(as_bob: Client, usage: Organization, call: MakeCall) -> None:
    before = set(UsageLog.objects.filter(timestamp__month=7).values_list("id", flat=True))

    pages = walk(as_bob, JULY, lambda: record(usage, [call("2025-07-30T12:00Z"), call("2025-07-05T12:00Z")]))

    walked = [number for page in pages for number in page]
    assert len(walked) == len(set(walked))
    assert before <= set(walked)


def test_newer_leads_back_to_the_first_page(as_bob: Client, usage: Organization) -> None:
    first, second, third, *_ = walk(as_bob, JULY)
    page = text(as_bob, URL + JULY)
    assert link(page, "prev") is None
    for _ in range(2):
        page = text(as_bob, URL + (link(page, "next") or ""))
    assert listed(page) == third

    page = text(as_bob, URL + (link(page, "prev") or ""))
    assert listed(page) == second
    page = text(as_bob, URL + (link(page, "prev") or ""))
    assert listed(page) == first
    assert link(page, "prev") is None


def test_totals_and_days_are_those_of_the_log(as_bob: Client, usage: Organization) -> None:
    page = text(as_bob, URL + JULY + "&user=alice")

    calls = UsageLog.objects.filter(timestamp__month=7, user_id="alice")
    total = sum((call.cost or Decimal(0) for call in calls), Decimal(0))
    assert f'title="${total}"' in page
    assert "Sunday 20 Jul 2025" in page
    assert re.search(r"Sunday 20 Jul 2025</h2> <span>1\d\d calls, \$", page)


def test_times_are_those_of_the_organization(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    Organization.objects.update(time_zone="America/Los_Angeles")
    record(Organization.objects.get(), [call("2025-07-02T03:04:05.678Z", cost="0.25", operation="=1+1")])
    page = text(as_bob, URL + JULY)
    (number,) = listed(page)

    assert "Tuesday 1 Jul 2025" in page and ">20:04:05<" in page
    details = text(as_bob, f"{URL}{number}/{JULY}")
    assert "2025-07-01 20:04:05.678000 PDT" in details and "2025-07-02 03:04:05.678000 UTC" in details
    assert "exactly $0.250000000000" in details and "Reported by the sender" in details
    assert f'href="{URL}{JULY}"' in details


def test_the_hour_that_comes_twice_has_its_calls_apart(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    """At the end of summer time 01:30 comes twice: the later one is above, and each says which it is."""
    Organization.objects.update(time_zone="America/Los_Angeles")
    record(
        Organization.objects.get(),
        [call(f"2025-11-02T{hour:02}:30Z", cost="0.25", request_id=str(hour)) for hour in (7, 8, 9, 10)],
    )
    for _ in range(2):
        page = text(as_bob, URL + "?range=custom&from=2025-11-02&to=2025-11-02")
        assert "4 calls, $1" in page
        numbers = listed(page)
        assert [UsageLog.objects.get(pk=number).request_id for number in numbers] == ["10", "9", "8", "7"]
        zones = [re.findall(r"2025-11-02 \d\d:30:00 P[DS]T", text(as_bob, f"{URL}{number}/")) for number in numbers]
        assert [found[0][11:] for found in zones] == ["02:30:00 PST", "01:30:00 PST", "01:30:00 PDT", "00:30:00 PDT"]
        roll_up()


@pytest.mark.parametrize("number", ["0", "999999999", "99999999999999999999999"])
def test_a_call_that_is_not_there_is_not_found(as_bob: Client, usage: Organization, number: str) -> None:
    assert as_bob.get(f"{URL}{number}/").status_code == 404


def test_a_call_of_another_organization_is_not_found(
    as_bob: Client, usage: Organization, other: Organization, call: MakeCall
) -> None:
    record(other, [call("2025-07-01T12:00Z")])
    theirs = UsageLog.objects.get(organization=other).pk

    assert as_bob.get(f"{URL}{theirs}/").status_code == 404
    assert as_bob.get(f"/o/other/calls/{theirs}/").status_code == 404
    assert theirs not in [number for page in walk(as_bob, JULY) for number in page]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?before=nonsense", "Before: Expected a place in the list, as its links have it."),
        ("?after=99999999999999999999-1", "After: Expected a place in the list"),
        ("?sort=cost&before=1-1", "Before: Expected a place in the list in this order, as its links have it."),
        ("?before=cost1.000000000000-1", "Before: Expected a place in the list in this order, as its links have it."),
        ("?sort=cost&before=cost1-1", "Before: Expected a place in the list, as its links have it."),
        ("?sort=size", "Sort: There is no choice “size”."),
        ("?after=1-1&before=1-1", "After: Expected either this or “before”."),
        ("?status=odd", "Status: There is no choice “odd”."),
        ("?since=soon&until=later", "Since: Expected a time"),
        (JULY + "&since=2025-07-01T10:00Z", "Until: Expected a time here, too"),
        (JULY + "&since=2025-06-01T10:00Z&until=2025-07-02T10:00Z", "Since: Expected a part of the range."),
        ("?range=custom&from=2025-07-01", "To: A custom range needs this date."),
    ],
)
def test_bad_input_is_explained(as_bob: Client, acme: Organization, query: str, expected: str) -> None:
    page = re.sub(r"</?b>", "", text(as_bob, URL + query))

    assert expected in page
    answer = as_bob.get(f"/o/acme/calls.csv{query}")
    assert answer.status_code == 400
    assert expected.partition(": ")[2] in answer.content.decode()


def test_places_at_the_ends_of_time_are_no_error(as_bob: Client, usage: Organization) -> None:
    for place in ("0-0", "99999999999999999-999999999999999999"):
        for name in ("before", "after"):
            assert as_bob.get(f"{URL}{JULY}&{name}={place}").status_code == 200
    assert str(call_order.parse("1751328000000001-7")) == "1751328000000001-7"


def test_what_is_no_longer_kept_is_said(as_bob: Client, usage: Organization) -> None:
    roll_up()
    Organization.objects.update(log_from=date(2025, 7, 21))

    page = text(as_bob, f"{URL}{JULY}")

    gone = UsageLog.objects.filter(timestamp__range=("2025-07-01T00:00Z", "2025-07-20T23:59:59.999999Z")).count()
    assert f"The calls of days before 21 Jul 2025 {NOT_KEPT}: {gone} of these are in the totals" in page
    kept = UsageLog.objects.filter(timestamp__range=("2025-07-21T00:00Z", "2025-07-31T23:59:59.999999Z"))
    assert len(listed(page)) == min(50, kept.count())
    assert as_bob.get(f"/o/acme/calls.csv{JULY}").status_code == 400


def test_a_fragment_keeps_the_address(as_bob: Client, usage: Organization) -> None:
    query = f"{JULY}&user=alice&status=ok"
    older = link(text(as_bob, URL + query), "next") or ""

    response = as_bob.get(URL + older, headers={"HX-Request": "true"})

    assert response.content.decode().lstrip().startswith('<div id="view"')
    assert response["HX-Push-Url"] == URL + older
    assert as_bob.get(URL + query, headers={"HX-Request": "true"})["HX-Push-Url"] == URL + query


def test_a_call_shows_its_tier_units_labels_and_the_name_of_its_key(
    as_bob: Client, acme: Organization, other: Organization, call: MakeCall
) -> None:
    key, secret = keys.create(acme, "checkout service", None)
    strange, _ = keys.create(other, "a stranger's key", None)
    details = {"service_tier": "batch", "units": {"images": 2}, "labels": {"team": "<b>search</b>"}}
    sent = call("2025-07-01T12:00Z", **details, input_tokens=9, request_id="r1")
    record(acme, [sent._replace(key=key.prefix), sent._replace(key=strange.prefix, request_id="r2")])
    pages = [as_bob.get(f"{URL}{one.pk}/").content.decode() for one in UsageLog.objects.order_by("request_id")]
    for expected in ("batch", "Images that were made", "&lt;b&gt;search&lt;/b&gt;", "checkout service"):
        assert expected in pages[0]
    assert "no price for tier batch of model gpt-5" in pages[0]
    assert secret.text not in pages[0]
    assert strange.prefix in pages[1]
    assert "stranger" not in pages[1]
    dashboard = text(as_bob, f"/o/acme/{JULY}&by=key&key={key.prefix}&key={strange.prefix}")
    assert "checkout service" in dashboard
    assert "stranger" not in dashboard


@pytest.mark.parametrize("query", [JULY, JULY + "&status=error&not_user=alice", "?range=90d"])
def test_an_export_can_be_imported_elsewhere(
    as_bob: Client, usage: Organization, other: Organization, call: MakeCall, tmp_path: Path, query: str
) -> None:
    record(usage, [call("2025-07-04T12:00:00.000001Z", operation='=1+"1",\n', user_id="@ä", cost="0.000000000001")])
    details = {"units": {"web_searches": 2}, "labels": {"a,b": '"é"'}, "service_tier": "flex", "price_model": "gpt-5"}
    record(usage, [call("2025-07-04T12:00:00.000002Z", **details, cost="2")._replace(key="usage_0a1b2c3d")])
    response = as_bob.get(f"/o/acme/calls.csv{query}")
    assert response["Content-Disposition"].startswith('attachment; filename="acme-calls-')
    content = b"".join(response.streaming_content)  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    path = tmp_path / "calls.csv"
    path.write_bytes(content)

    call_command("import_usage", str(path), "--organization", "other", stdout=(said := io.StringIO()))
    call_command("import_usage", str(path), "--organization", "acme", stdout=(again := io.StringIO()))

    walked = [number for page in walk(as_bob, query) for number in page]
    exported = UsageLog.objects.filter(id__in=walked).order_by("request_id").values_list(*FIELDS)
    imported = UsageLog.objects.filter(organization=other).order_by("request_id").values_list(*FIELDS)
    assert list(imported) == list(exported)
    assert len(rows) == len(walked)
    keys = UsageLog.objects.filter(id__in=walked).order_by("timestamp", "id").values_list("key", flat=True)
    assert [row["key"] for row in rows] == list(keys)
    assert not UsageLog.objects.filter(organization=other).exclude(key="").exists()
    assert f" {len(rows):,} new" in said.getvalue()
    assert " 0 new" in again.getvalue()


def test_the_list_says_why_a_call_has_no_price(
    as_bob: Client, acme: Organization, other: Organization, call: MakeCall
) -> None:
    billed = {"input_tokens": 9, "output_tokens": 1}
    calls = {
        "tier": call("2025-07-01T12:00Z", service_tier="scale", **billed),
        "unit": call("2025-07-01T12:01Z", units={"images": 1}, **billed),
        "model": call("2025-07-01T12:02Z", **billed)._replace(model="<i>o9"),
        "nothing": call("2025-07-01T12:03Z"),
        "priced": call("2025-07-01T12:04Z", **billed),
        "free": call("2025-07-01T12:05Z", cost="0"),
        "since": call("2025-07-01T12:06Z", **billed)._replace(model="o9-own"),
        "charge": call("2025-07-01T12:07Z", kind="charge", cost="2"),
    }
    record(acme, [one._replace(request_id=name) for name, one in calls.items()])
    PriceOverride.objects.create(organization=acme, pattern="o9-own", input=1, output=1)
    PriceOverride.objects.create(organization=other, pattern="*", input=1, output=1)

    page = as_bob.get(URL + JULY).content.decode()

    numbers = dict(UsageLog.objects.values_list("id", "request_id"))
    reasons = re.findall(r'id="why-(\d+)">([^<]*)</td>', page)
    assert {numbers[int(number)]: html.unescape(reason) for number, reason in reasons} == {
        "tier": "No price for tier scale of model gpt-5",
        "unit": "No price for unit images of model gpt-5",
        "model": "No price for model “<i>o9”",
        "nothing": "Nobody told its tokens",
        "since": "It had no price when it was recorded, and would have one today",
    }
    assert re.findall(r'aria-describedby="why-(\d+)"', page) == [number for number, _ in reasons]
    only = as_bob.get(f"{URL}{JULY}&status=unpriced").content.decode()
    assert re.findall(r'id="why-(\d+)">([^<]*)</td>', only) == reasons
