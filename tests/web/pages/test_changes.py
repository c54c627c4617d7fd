"""The page that tells why the cost changed: its numbers, its links, and what it says where there are none."""

import html
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.money import EXACT
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.pricing.overrides import set_price
from aggregates.pricing.price_list import PriceList
from aggregates.query.selection import Selection
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages import changes
from aggregates.web.pages.drivers import read_drivers
from tests.history import some_calls
from tests.words import NOT_KEPT

URL = "/o/acme/changes/"
JULY = "?range=custom&from=2025-07-01&to=2025-07-31"
MakeCall = Callable[..., Call]


@pytest.fixture
def as_bob(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def text(client: Client, url: str, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return html.unescape(re.sub('<span class="amount">(.*?)</span>', r"\1", response.content.decode()))


def test_it_says_why_in_a_sentence_and_in_steps(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    june = [call("2025-06-10T12:00Z", operation="chat", cost="2", input_tokens=100) for _ in range(10)]
    july = [call("2025-07-10T12:00Z", operation="chat", cost="2", input_tokens=100) for _ in range(15)]
    long_ago = call("2025-05-01T12:00Z", cost="1")
    record(acme, [long_ago, *june, *july, call("2025-07-11T12:00Z", operation="translate", cost="1.5")])

    page = text(as_bob, URL + JULY)

    assert "1 – 31 Jul 2025, compared with 1 – 30 Jun 2025, 30 days against 31, days in UTC" in page
    assert (
        "Cost rose by $11.50 (57.5%) to $31.50: mostly more calls of chat (+$10.00) and new operations (translate) "
        "(+$1.50)." in page
    )
    assert re.findall(r'data-step="(\w+)"', page) == ["volume", "mix", "tokens", "cache", "price", "new"]
    assert 'aria-label="From $20.00 before to $31.50 now: Volume +$10.00, Model mix $0.00, ' in page
    assert 'href="/o/acme/?range=custom&from=2025-07-01&to=2025-07-31&operation=chat"' in page


def test_the_steps_have_the_decimals_of_the_largest(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    june = [call("2025-06-10T12:00Z", operation="chat", cost="2", input_tokens=100) for _ in range(10)]
    july = [call("2025-07-10T12:00Z", operation="chat", cost="2.0004", input_tokens=100) for _ in range(10)]
    record(acme, [call("2025-05-01T12:00Z", cost="1"), *june, *july])

    (table,) = re.findall(r'<table class="steps".*?</table>', text(as_bob, URL + JULY), re.DOTALL)

    amounts = re.findall(r"title=[^>]*>([^<]*<?\$[^<]*)</td>", table)
    assert amounts == ["$20.00", "$0.00", "$0.00", "$0.00", "$0.00", "<$0.01", "$20.00"]


def test_it_says_where_its_numbers_come_from(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    record(acme, some_calls(call, datetime(2025, 5, 31, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC), 300))
    assert "Live from the log. As of" in " ".join(text(as_bob, URL + JULY).split())
    roll_up()
    assert "31 days from daily aggregates, rolled up today" in text(as_bob, URL + JULY)


def test_the_amounts_on_the_page_add_up(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    record(acme, some_calls(call, datetime(2025, 5, 31, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC), 300))

    page = text(as_bob, f"{URL}{JULY}&compare=year&not_user=alice") + text(as_bob, URL + JULY)

    for body in page.split("<!doctype html>")[1:]:
        for table in re.findall(r'<table class="steps".*?</table>', body, re.DOTALL):
            before, *steps, now = (
                Decimal(sign.replace("−", "-") + digits.replace(",", ""))
                for sign, digits in re.findall(r'title="(−?)\$([\d.,]*\d)', table)
            )
            assert sum(steps, before) == now
    assert page.count('class="steps"') == 1  # a year earlier there was nothing
    assert "calls of this range and " in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?range=custom&from=2025-07-10&to=2025-07-10", "Nothing to compare with"),
        ("?range=custom&from=2025-07-11&to=2025-07-11", "No usage in this range"),
        ("?range=custom&from=2024-07-11&to=2024-07-11", "No usage, now or before"),
        ("?range=custom&from=2025-07-10&to=2025-07-10&operation=none", "No usage with these filters, now or before"),
        ("?range=nonsense", "There is no choice “nonsense”"),
    ],
)
def test_empty_states_say_what_is_missing(
    as_bob: Client, acme: Organization, call: MakeCall, query: str, expected: str
) -> None:
    record(acme, [call("2025-07-10T12:00Z", cost="2")])

    page = text(as_bob, URL + query)

    assert expected in page
    assert "chart-bridge" not in page


def test_what_has_no_price_is_no_amount_and_no_difference(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-06-01T12:00Z", model="a"), call("2025-07-10T12:00Z", model="a")])
    record(acme, [call("2025-06-10T12:00Z", model="b", cost="2"), call("2025-07-10T12:00Z", model="b", cost="2")])
    found = {}
    for query in ("&by=model", "&by=model&model=a"):
        page = text(as_bob, URL + JULY + query)
        (table,) = re.findall(r'aria-labelledby="drivers-model">.*?</section>', page, re.DOTALL)
        for row in re.findall("<tr>.*?</tr>", table, re.DOTALL)[1:]:
            found[query, *re.findall(r"<bdi>(\w)</bdi>", row)[:1]] = re.findall(
                '<td class="number"[^>]*>(.*?)</td>', row
            )

    assert found == {
        ("&by=model", "a"): ["no price", "no price", "–"],
        ("&by=model", "b"): ["$2.00", "$2.00", "$0.00"],
        ("&by=model",): ["$2.00", "$2.00", "$0.00"],
        ("&by=model&model=a", "a"): ["no price", "no price", "–"],
        ("&by=model&model=a",): ["no price", "no price", "–"],
    }
    record(acme, [call("2025-08-10T12:00Z", model="c")])
    new = text(as_bob, f"{URL}?range=custom&from=2025-08-01&to=2025-08-31&model=c")
    assert "There are no calls that match in 1 – 31 Jul 2025: all that was used since is new." in new


def test_a_line_ends_before_a_minus_and_not_behind_it(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    record(acme, [call(f"2025-06-1{n}T12:00Z", operation="chat", cost="2") for n in range(3)])
    record(acme, [call("2025-05-01T12:00Z"), call("2025-07-10T12:00Z", operation="chat", cost="2")])
    (sentence,) = re.findall('<p class="sentence">(.*)', html.unescape(as_bob.get(URL + JULY).content.decode()))

    assert 'fewer calls of chat (<span class="amount">−$4.00</span>).' in sentence


def test_an_axis_below_nothing_has_the_minus_before_the_dollar(acme: Organization, call: MakeCall) -> None:
    credits = [call(f"2025-0{month}-10T12:00Z", kind="charge", cost="-1500") for month in (5, 6, 7)]
    record(acme, [*credits, call("2025-07-11T12:00Z", cost="1")])
    july = ranges.of_days("custom", date(2025, 7, 1), date(2025, 7, 31), "UTC")
    waterfall = changes.load(Selection(acme, july)).waterfall
    axis = waterfall.figure["layout"]["xaxis"]

    assert (axis["tickformat"], axis.get("tickprefix")) == ("$,~f", None)
    assert not waterfall.begins_at, "at nothing, or below, is where axes begin"


def test_what_is_no_longer_kept_is_said(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-06-10T12:00Z", user_id="u", subject_id="s", cost="2")])
    roll_up()
    Organization.objects.update(log_from=date(2025, 7, 1))

    page = text(as_bob, f"{URL}{JULY}&user=u&subject=s")

    assert f"The calls of days before 2025-07-01 {NOT_KEPT}" in page
    assert "<table" not in page


def test_a_fragment_keeps_the_address_of_the_view(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    response = as_bob.get(f"{URL}{JULY}&compare=year&operation=chat&by=user", headers={"HX-Request": "true"})

    assert response.content.decode().lstrip().startswith('<div id="view"')
    assert response["HX-Push-Url"] == f"{URL}{JULY}&by=user&compare=year&operation=chat"
    controls = response.content.decode().partition('id="controls"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="operation" value="chat">' in controls
    assert 'type="hidden" name="compare"' not in controls


def test_drivers_beyond_the_first_are_added_up(acme: Organization, call: MakeCall) -> None:
    july = [call("2025-07-10T12:00Z", operation=f"operation-{number}", cost=str(number)) for number in range(14)]
    record(acme, [*july, call("2025-06-10T12:00Z", operation="operation-3", cost="60")])
    chosen = ranges.of_days("custom", date(2025, 7, 1), date(2025, 7, 31), "UTC")

    found = read_drivers(Selection(acme, chosen), "operation")

    assert found.total
    assert [line.key for line in found.lines[:2]] == ["operation-3", "operation-13"]
    assert [found.lines[0].text, found.lines[0].share] == ["-$57.00", "-183.9%"]
    assert found.lines[-1].key is None and len(found.lines) == 11
    differences = [line.difference for line in found.lines]
    assert sum(differences) == found.total.difference == EXACT.subtract(Decimal(91), Decimal(60))
    assert sum(line.sums_now.calls for line in found.lines) == 14
    assert found.total.share == "100.0%"


def test_by_the_day_the_length_is_a_step_and_no_reason(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    """A dollar a day, and an operation that is new: by the day only that has changed."""
    first = datetime(2025, 6, 1, 12, tzinfo=UTC)
    calls = [call((first + timedelta(days=day)).isoformat(), operation="chat", cost="1") for day in range(61)]
    new = call("2025-07-05T12:00Z", operation="translate", cost="31")
    record(acme, [call("2025-05-01T12:00Z", cost="0"), *calls, new])

    page = text(as_bob, f"{URL}{JULY}&compare=before_per_day")
    whole = text(as_bob, URL + JULY)

    assert "Cost a day rose by $1.00 (100.0%) to $2.00: mostly new operations (translate) (+$1.00)." in page
    assert "compared by the day with 1 – 30 Jun 2025, 30 days against 31" in page
    assert re.search(r'data-step="length">.*?title="\$1.000000000000', page)
    assert re.search(r'data-step="volume">.*?title="\$0', page)
    assert 'href="?range=custom&from=2025-07-01&to=2025-07-31&compare=before_per_day">Compare by the day</a>' in whole
    assert ">Compare the whole ranges</a>" in page
    assert 'data-step="length"' not in whole
    drivers = re.search(r'id="drivers-operation".*?</table>', page, re.S)
    assert drivers and 'title="$31.000000000000 in all">+$1.00<' in drivers[0]


def test_any_two_ranges_are_compared(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    record(acme, [call(f"2025-{month:02}-10T12:00Z", operation="chat", cost=str(month)) for month in range(1, 8)])
    record(acme, [call("2024-12-31T12:00Z", cost="0")])

    quarter = text(as_bob, f"{URL}{JULY}&compare=dates&compare_from=2025-01-01&compare_to=2025-03-31")

    assert "compared with 1 Jan – 31 Mar 2025, 90 days against 31" in quarter
    assert "Cost rose by $1.00 (16.7%) to $7.00" in quarter
    assert 'name="compare_from" id="compare_from" value="2025-01-01"' in quarter


def test_drivers_of_any_dimension_open_in_place(as_bob: Client, acme: Organization, call: MakeCall) -> None:
    june = [call("2025-06-10T12:00Z", operation="chat", user_id="alice", model="a", cost="2")]
    july = [call("2025-07-10T12:00Z", operation="chat", user_id="alice", model=each, cost="3") for each in ("a", "b")]
    old = call("2025-01-10T12:00Z", cost="0")
    record(acme, [old, *june, *july, call("2025-07-10T12:00Z", operation="chat", user_id="bob", model="b", cost="9")])

    page = text(as_bob, f"{URL}{JULY}&by=user")
    opener = (
        r'href="([^"]+)" data-driver="([^"]+)"[^>]*><span aria-hidden="true"></span><span class="hidden">What within '
    )
    ((fallback, fragment),) = re.findall(f"{opener}alice", page)
    within = text(as_bob, fragment)

    assert 'id="drivers-user"' in page
    assert within.lstrip().startswith('<tr class="within">')
    amounts = re.findall(r'class="number" title="\$([0-9.]+)">', within)
    assert [Decimal(each) for each in amounts] == [0, 3, 3, 2, 3, 1]
    assert ">user</a>" not in within
    assert "Cost rose by $4.00 (200.0%) to $6.00" in text(as_bob, fallback)
    assert as_bob.get("/o/acme/changes/within/?of=colour").status_code == 400
    assert as_bob.get("/o/other/changes/within/?of=user&user=alice").status_code == 404


def test_the_own_price_of_the_organization_comes_first(acme: Organization) -> None:
    set_price(acme, "gpt-5*", date(2025, 7, 1), None, {"input": Decimal(9), "output": Decimal(10)}, None)
    june, july = (PriceList(acme, datetime(2025, month, 5, tzinfo=UTC)) for month in (6, 7))

    own, published, none = july.rates("", "gpt-5"), june.rates("openai", "gpt-5"), june.rates("", "o9")

    assert own and own.input == Decimal("0.000009")
    assert published and published.output == Decimal("0.00001")
    assert none is None
