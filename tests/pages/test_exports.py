"""What is downloaded names what the page names, in rows that others understand; test_every_number adds it up."""

import csv
import io
from collections.abc import Callable

import openpyxl
import pytest
from django.test import Client
from django.utils import timezone

from aggregates.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Organization, Role, User
from aggregates.rollup import roll_up
from aggregates.views import exports
from tests.fixtures import make_organization


def test_groups_are_named_as_on_the_page_and_never_formulas(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    now = timezone.now().isoformat()
    names = ["", '=HYPERLINK("x")', "bob, charlie"]
    record(acme, [call(now, user_id=name, cost=len(names) - place) for place, name in enumerate(names)])
    response = client.get("/o/acme/usage.csv?range=24h&by=user")

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["user"], row["cost"]) for row in rows] == [
        ("(not set)", "3.000000000000"),
        ('\'=HYPERLINK("x")', "2.000000000000"),
        ("bob, charlie", "1.000000000000"),
    ]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="acme-usage-20')


def test_groups_beyond_the_first_are_in_one_row(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    now = timezone.now().isoformat()
    record(acme, [call(now, user_id=f"user-{number}", cost=1 + number) for number in range(60)])
    rows = list(csv.DictReader(io.StringIO(client.get("/o/acme/usage.csv?range=7d&by=user").content.decode())))
    assert (len(rows), rows[-1]["user"], rows[-1]["calls"]) == (51, "Other", "10")


def test_the_page_leads_to_it(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    client.force_login(alice)
    record(acme, [call(timezone.now().isoformat())])
    page = client.get("/o/acme/?by=user&range=90d").content.decode()
    assert 'href="/o/acme/usage.csv?range=90d&amp;by=user"' in page


FILES = ("usage.csv", "usage.xlsx", "focus.csv", "calls.csv")


@pytest.mark.parametrize("file", FILES)
def test_no_file_is_made_of_what_cannot_be_asked(client: Client, alice: User, acme: Organization, file: str) -> None:
    client.force_login(alice)
    response = client.get(f"/o/acme/{file}?range=custom&from=2025-07-01&by=colour")
    assert response.status_code == 400
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content.decode().splitlines() == [
        "by: There is no choice “colour”.",
        "to: A custom range needs this date.",
    ]


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_would_lack_dropped_calls_is_refused(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], file: str
) -> None:
    client.force_login(alice)
    record(acme, [call("2025-07-01T10:00Z", user_id="alice", subject_id="x", operation="chat")])
    roll_up()
    Organization.objects.filter(pk=acme.pk).update(log_from="2025-08-01")
    july = "range=custom&from=2025-07-01&to=2025-07-31&user=alice&subject=x&operation=chat"
    response = client.get(f"/o/acme/{file}?{july}")
    assert response.status_code == 400
    assert "days before 2025-08-01 are no longer kept" in response.content.decode()


def test_a_days_calls_of_one_kind_are_a_row_of_focus(
    client: Client, alice: User, call: Callable[..., Call], db: None
) -> None:
    """The day in Kathmandu, where it begins at 18:15 UTC of the day before."""
    here = make_organization("here", "Asia/Kathmandu")
    Membership.objects.create(user=alice, organization=here, role=Role.VIEWER)
    client.force_login(alice)
    kind = {"provider": "anthropic", "model": "claude-x", "operation": "chat", "user_id": "bob", "project": "web"}
    times = ("2025-07-01T18:15Z", "2025-07-02T18:14:59Z", "2025-07-02T18:15Z")
    record(here, [call(time, **kind, input_tokens=10, output_tokens=5, cost="0.1") for time in times])
    response = client.get("/o/here/focus.csv?range=custom&from=2025-07-02&to=2025-07-31")
    first, second = csv.DictReader(io.StringIO(response.getvalue().decode()))

    assert {name: value for name, value in first.items() if value and not name.startswith("x_")} == {
        "BilledCost": "0.200000000000",
        "BillingAccountId": "here",
        "BillingAccountName": here.name,
        "BillingAccountType": "Organization",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2025-07-31T18:15:00Z",
        "BillingPeriodStart": "2025-06-30T18:15:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": "Calls to claude-x",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2025-07-02T18:15:00Z",
        "ChargePeriodStart": "2025-07-01T18:15:00Z",
        "ConsumedQuantity": "30",
        "ConsumedUnit": "Tokens",
        "ContractedCost": "0.200000000000",
        "EffectiveCost": "0.200000000000",
        "InvoiceIssuerName": "anthropic",
        "ListCost": "0.200000000000",
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingQuantity": "30",
        "PricingUnit": "Tokens",
        "ProviderName": "anthropic",
        "PublisherName": "anthropic",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "anthropic models",
        "ServiceSubcategory": "Generative AI",
        "SkuId": "claude-x",
        "SkuMeter": "Tokens",
        "SubAccountId": "web",
        "SubAccountName": "web",
        "SubAccountType": "Project",
        "Tags": '{"user": "bob", "operation": "chat"}',
    }
    assert list(first) == sorted(first, key=lambda name: (name.startswith("x_"), name))
    assert (first["x_Calls"], second["x_Calls"], second["ChargePeriodStart"]) == ("2", "1", "2025-07-02T18:15:00Z")


def test_a_workbook_is_no_larger_than_memory_is_for(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(alice)
    record(acme, [call(f"2025-07-0{day}T10:00Z") for day in (1, 2, 3)])
    monkeypatch.setattr(exports, "MAX_ROWS", 2)
    address = "/o/acme/usage.xlsx?range=custom&from=2025-07-01&to=2025-07-03&bucket="
    assert client.get(f"{address}month").status_code == 200
    response = client.get(f"{address}day")
    assert response.status_code == 400
    assert response.content.decode().startswith("bucket: Expected at most 2 rows in a workbook, got 3")


def test_a_workbook_runs_nothing(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    client.force_login(alice)
    names = ['=HYPERLINK("http://example.com")', "https://example.com", "007", "+1"]
    record(acme, [call(timezone.now().isoformat(), user_id=name) for name in names])
    book = openpyxl.load_workbook(io.BytesIO(client.get("/o/acme/usage.xlsx?range=7d&by=user").content))
    cells = [cell for page in book for line in page.iter_rows() for cell in line if cell.value in names]

    assert {cell.value for cell in cells} == set(names)
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
