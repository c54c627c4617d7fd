"""Charges on pages and in files: they are shown as such, add to the cost, and are no calls."""

import csv
import html
import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from django.core.management import call_command
from django.test import Client

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, UsageLog, User
from aggregates.rollup.protocol import roll_up
from tests.figures import figure_in
from tests.fixtures import make_organization

JULY = "?range=custom&from=2025-07-01&to=2025-07-31"
MakeCall = Callable[..., Call]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def usage(acme: Organization, call: MakeCall) -> Organization:
    """In June calls for $10; in July calls for $20, a seat for $5, its refund, and a credit of $12."""
    used = {"operation": "chat", "provider": "openai", "user_id": "alice", "input_tokens": 100, "output_tokens": 10}
    record(
        acme,
        [
            *(call(f"2025-06-{day}T10:00Z", cost="5", **used) for day in ("01", "11")),
            *(call(f"2025-07-{day}T10:00Z", cost="5", **used) for day in (10, 11, 12, 13)),
            call("2025-07-13T11:00Z", kind="charge", provider="openai", model="", subject_id="seat of Bob", cost="5"),
            call("2025-07-14T11:00Z", provider="openai", model="", subject_id="seat of Bob", cost="-5"),
            call("2025-07-15T11:00Z", provider="openai", operation="chat", cost="-12", request_id="credit"),
        ],
    )
    return acme


def text(client: Client, address: str) -> str:
    response = client.get(f"/o/acme/{address}")
    assert response.status_code == 200
    return html.unescape(re.sub('<span class="amount">(.*?)</span>', r"\1", response.getvalue().decode()))


@pytest.mark.parametrize("rolled", [False, True])
def test_the_dashboard_adds_charges_to_the_cost_and_counts_calls_alone(
    as_alice: Client, usage: Organization, rolled: bool
) -> None:
    if rolled:
        roll_up()
    page = text(as_alice, f"{JULY}&by=none")
    titles = re.findall(r'<p class="tile-value" title="([^"]*)">', page)
    assert titles[:2] == ["$8.000000000000", "4 calls"]
    assert "3 charges of −$12.00" in page
    drawn = figure_in(page, "explore")
    assert [value for value in drawn["data"][0]["y"] if value] == [5, 5, 5, 10, -5, -12]
    assert drawn["layout"]["barmode"] == "relative"
    assert drawn["layout"]["yaxis"]["zeroline"] is True
    assert drawn["layout"]["yaxis"]["tickformat"] == "$,.0f"
    assert sum(figure_in(page, "calls")["data"][0]["y"]) == 4
    per_call = figure_in(text(as_alice, f"{JULY}&by=none&measure=cost_per_call"), "explore")
    assert {value for value in per_call["data"][0]["y"] if value is not None} == {5}


def test_a_range_of_charges_alone_is_shown(as_alice: Client, usage: Organization) -> None:
    roll_up()
    page = text(as_alice, "?range=custom&from=2025-07-14&to=2025-07-31&by=none")
    assert "−$17.00" in page
    assert "No usage" not in page
    assert figure_in(page, "explore")["layout"]["yaxis"].get("range") is None
    calls = text(as_alice, "calls/?range=custom&from=2025-07-14&to=2025-07-31")
    assert "<b>0</b> calls and <b>2</b> charges" in calls


def test_shares_are_of_calls_where_the_whole_is_below_nothing(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, "?range=custom&from=2025-07-13&to=2025-07-31&by=model")
    (table,) = re.findall(r'aria-labelledby="table-operation">.*?</section>', page, re.DOTALL)
    assert "Share of calls" in table
    bars = re.findall(r'class="share-bar" width="([^"]*)"', page)
    assert bars
    assert all(0 <= float(bar) <= 100 for bar in bars)
    shares = figure_in(text(as_alice, f"{JULY}&by=none&chart=share"), "explore")["data"][0]
    given_back = [text for text in shares["customdata"] if text.startswith("–")]
    assert given_back == ["– · −$5.00", "– · −$12.00"]
    assert set(shares["y"]) == {0, 100, None}


def test_the_list_of_calls_shows_charges_as_such(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, f"calls/{JULY}")
    assert "<b>4</b> calls and <b>3</b> charges" in page
    assert len(re.findall(r'class="call call-charge"', page)) == 3
    assert "1 call, 1 charge, $10.00" in page
    charges = text(as_alice, f"calls/{JULY}&status=charge")
    assert "<b>3</b> charges" in charges
    assert re.findall(r'class="call call-(\w+)"', charges) == ["charge"] * 3
    assert re.findall(r'class="call call-(\w+)"', text(as_alice, f"calls/{JULY}&status=ok")) == ["ok"] * 4
    assert "status=charge" not in text(as_alice, "calls/?range=custom&from=2025-06-01&to=2025-06-30")


def test_a_charge_by_itself_has_no_tokens(as_alice: Client, usage: Organization) -> None:
    number = UsageLog.objects.get(request_id="credit").pk
    page = text(as_alice, f"calls/{number}/")
    assert "<h1>A charge of <bdi>chat</bdi></h1>" in page
    assert "exactly −$12.000000000000" in page
    assert "<h2>Tokens</h2>" not in page


def test_its_calls_can_be_imported_with_their_charges(
    as_alice: Client, usage: Organization, tmp_path: Path, db: None
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(text(as_alice, f"calls.csv{JULY}"))
    again = make_organization("again")
    call_command("import_usage", str(path), "--organization", "again", stdout=io.StringIO())
    columns = ("timestamp", "request_id", "kind", "model", "subject_id", "cost")
    copied = UsageLog.objects.filter(organization=again).values_list(*columns)
    assert set(copied) == set(UsageLog.objects.filter(organization=usage, timestamp__month=7).values_list(*columns))
    assert {kind for _, _, kind, *_ in copied} == {"call", "charge"}


def test_charges_have_rows_of_their_own_in_focus(as_alice: Client, usage: Organization) -> None:
    rows = list(csv.DictReader(io.StringIO(text(as_alice, f"focus.csv{JULY}"))))
    of_charges = [row for row in rows if row["ChargeCategory"] != "Usage"]
    names = ("ChargeCategory", "BilledCost", "ChargeFrequency", "ChargeDescription", "PricingQuantity", "PricingUnit")
    assert [tuple(row[name] for name in names) for row in of_charges] == [
        ("Purchase", "5.000000000000", "One-Time", "Charge: seat of Bob", "1", "Charges"),
        ("Credit", "-5.000000000000", "One-Time", "Charge: seat of Bob", "", ""),
        ("Credit", "-12.000000000000", "One-Time", "Charge: gpt-5", "", ""),
    ]
    assert {row["ConsumedQuantity"] for row in of_charges} == {""}
    assert sum(Decimal(row["BilledCost"]) for row in rows) == 8


def test_the_workbook_tells_charges(as_alice: Client, usage: Organization) -> None:
    book = openpyxl.load_workbook(io.BytesIO(as_alice.get(f"/o/acme/usage.xlsx{JULY}").getvalue()))
    totals = {line[0]: line[2] for line in book["Totals"].iter_rows(values_only=True)}
    assert (totals["Calls"], totals["Cost"]) == ("4", "8.000000000000")
    assert (totals["Charges"], totals["Charge cost"]) == ("3", "-12.000000000000")


def test_a_change_tells_charges_from_calls(as_alice: Client, usage: Organization) -> None:
    page = text(as_alice, f"changes/{JULY}")
    assert (
        "Cost fell by $2.00 (20.0%) to $8.00: mostly credits or fewer charges in chat (−$12.00); "
        "more calls added $10.00." in page
    )
    assert re.findall(r'data-step="(\w+)"', page) == ["volume", "mix", "tokens", "cache", "price", "charges"]


def test_a_change_to_a_negative_total_is_drawn(as_alice: Client, usage: Organization, call: MakeCall) -> None:
    record(usage, [call("2025-07-20T10:00Z", operation="chat", cost="-100")])
    page = text(as_alice, f"changes/{JULY}")
    assert "Cost fell by $102.00 (1,020.0%) to −$92.00" in page
    low, high = figure_in(page, "bridge")["layout"]["xaxis"]["range"]
    assert low <= -92
    assert high >= 20
