"""Columns by choice, in tables and in what is made of them; and a column has one scale."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from django.test import Client
from openpyxl import load_workbook

from aggregates.domain import formats, money
from aggregates.domain.calls import Call
from aggregates.domain.measures import Sums
from aggregates.domain.wallclock import NARROW_SPACE
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.query.display_measures import MEASURES
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages.columns import cells_of
from tests.fixtures import make_organization
from tests.history import some_calls
from tests.latencies import latency_of

JULY = "range=custom&from=2025-07-01&to=2025-07-31"
CHOSEN = "&".join(f"col={measure.name}" for measure in MEASURES)


@pytest.fixture(scope="module")
def summer(shared: None, call: Callable[..., Call]) -> None:
    acme = make_organization("acme")
    start, end = datetime(2025, 6, 20, tzinfo=UTC), datetime(2025, 8, 5, tzinfo=UTC)
    record(acme, [each._replace(latency_ms=40 * nth) for nth, each in enumerate(some_calls(call, start, end, 200))])
    roll_up()


@pytest.fixture
def see(summer: None, acme: Organization, bob: User, client: Client) -> Callable[[str], str]:
    client.force_login(bob)

    def get(address: str) -> str:
        response = client.get(f"/o/acme/{address}")
        assert response.status_code == 200
        return html.unescape(response.content.decode())

    return get


def headings(page: str) -> list[list[str]]:
    tables = re.findall(r"<thead>.*?</thead>", page, re.S)
    return [
        [re.sub("<[^>]*>|[↓↑]", "", each) for each in re.findall(r"<th[^>]*>(.*?)</th>", table)] for table in tables
    ]


def test_tables_have_the_columns_that_the_address_names_and_links_keep_them(see: Callable[[str], str]) -> None:
    page = see(f"?{JULY}&col=p95&col=cost_per_1k&col=calls")
    own = [each[2:] for each in headings(page) if each[0] in ("Model", "User", "Operation", "Subject")]
    assert own == [["Calls", "Cost/1k tokens", "p95"]] * 4
    links = re.findall(r'href="(/o/acme/(?:groups/|changes/|calls/)?\?[^"]*)"', page)
    assert links and all("col=calls&col=cost_per_1k&col=p95" in each for each in links)
    assert "percentiles are right to" in page

    (all_models,) = [each for each in links if each.startswith("/o/acme/groups/") and "by=" not in each]
    (of_groups,) = headings(see(all_models.removeprefix("/o/acme/")))
    assert of_groups[2:] == ["Calls", "Cost/1k tokens", "p95"]
    assert 'id="problems"' in see("?col=weather")


def test_without_a_choice_tables_are_as_ever(see: Callable[[str], str]) -> None:
    assert headings(see(f"?{JULY}"))[0][2:] == ["Cost", "Calls", "Tokens"]
    assert headings(see(f"?{JULY}&measure=p95"))[0][2:] == ["Calls", "p50", "p95", "Tokens/s"]
    assert headings(see(f"groups/?{JULY}"))[0][2:] == ["Cost", "Before", "Change", "Calls", "Tokens", "Errors"]


def test_the_page_of_all_groups_shows_what_the_tables_do(see: Callable[[str], str]) -> None:
    """Of the same group the same numbers, whichever way they were read."""

    def numbers(page: str) -> dict[str, list[str]]:
        rows = re.findall(r'<tr[^>]*>\s*<th scope="row"><a [^>]*title="([^"]*)">.*?</tr>', page, re.S)
        cells = re.findall(r'<tr[^>]*>\s*<th scope="row"><a .*?</tr>', page, re.S)
        return {
            name: re.findall(r'class="number(?: of-(?!before|change)\w+)?" title="([^"]*)"', row)
            for name, row in zip(rows, cells, strict=True)
        }

    table = re.search(r'<table data-dimension="user">.*?</table>', see(f"?{JULY}&by=user&{CHOSEN}"), re.S)
    assert table
    found, expected = numbers(see(f"groups/?{JULY}&by=user&{CHOSEN}")), numbers(table[0])
    assert {name: found[name] for name in expected} == expected
    assert len(expected) > 1 and all(len(row) == len(MEASURES) for row in expected.values())


def test_the_workbook_and_the_file_of_the_page_have_the_same_columns(see: Callable[[str], str], client: Client) -> None:
    chosen = f"{JULY}&by=user&col=cost&col=errors&col=p50"
    book = load_workbook(BytesIO(client.get(f"/o/acme/usage.xlsx?{chosen}").content))
    header, *_, total = book["Top users"].iter_rows(values_only=True)
    assert header[1:4] == ("Cost", "Errors", "p50 latency") and total[1] > 0
    page, file = see(f"?{chosen}"), b"".join(client.get(f"/o/acme/usage.html?{chosen}")).decode()
    assert headings(page)[0][2:] == ["Cost", "Errors", "p50"]
    assert ["User", "Share of cost", "Cost", "Errors", "p50"] in headings(html.unescape(file))


def test_a_column_has_one_scale_and_nothing_in_it_looks_like_none() -> None:
    dollars = money.alike([Decimal("1234.5"), Decimal("0.004")])
    assert [dollars(Decimal(each)) for each in ("1234.5", "0.01", "0.004", "0", "-0.004", "-2")] == [
        "$1,234.50",
        "$0.01",
        "<$0.01",
        "$0.00",
        ">-$0.01",
        "-$2.00",
    ]
    cents = money.alike([Decimal("0.0123"), Decimal("0.00456")])
    assert [cents(Decimal(each)) for each in ("0.0123", "0.00456")] == ["$0.0123", "$0.0046"]
    calls = money.alike([Decimal("2.5"), Decimal("0.00031"), Decimal("-0.00000002")], finest=6)
    written = [calls(Decimal(each)) for each in ("2.5", "0.00031", "-0.00000002")]
    assert written == ["$2.500000", "$0.000310", ">-$0.000001"]
    many = formats.counts_alike([3_400_000, 812_345, 4])
    assert [many(each) for each in (3_400_000, 812_345, 4, 0)] == [
        f"3.40{NARROW_SPACE}M",
        f"0.81{NARROW_SPACE}M",
        f"<0.01{NARROW_SPACE}M",
        "0",
    ]
    assert [formats.counts_alike([999_999, 4])(each) for each in (999_999, 4)] == ["999,999", "4"]
    for times, shown in (
        (("12.4", "0.85"), [f"12.40{NARROW_SPACE}s", f"0.85{NARROW_SPACE}s"]),
        (("12.4", "0.007"), [f"12,400{NARROW_SPACE}ms", f"7{NARROW_SPACE}ms"]),
    ):
        seconds = [Decimal(each) for each in times]
        assert list(map(formats.times_alike(seconds), seconds)) == shown


def test_what_cannot_be_known_is_not_0() -> None:
    unpriced = Sums(calls=2, unpriced_calls=1, cost=Decimal(3), input_tokens=500)
    priced = unpriced._replace(unpriced_calls=0, latency=latency_of(7, 100))
    shown = [{cell.name: cell.text for cell in row} for row in cells_of(MEASURES, [unpriced, priced, None])]
    assert (shown[0]["cost_per_1k"], shown[1]["cost_per_1k"]) == ("–", "$6.00")
    assert (shown[0]["cost_per_call"], shown[1]["cost_per_call"]) == ("$3.00", "$1.50")
    assert (shown[0]["p50"], shown[1]["p50"]) == ("–", f"7{NARROW_SPACE}ms")
    assert set(shown[2].values()) == {"–"}
    (alone,) = cells_of(MEASURES[:1], [Sums(calls=1, unpriced_calls=1)])
    assert alone[0].text == alone[0].exact == formats.NO_PRICE
