"""What is downloaded names what the page names, in rows that others understand; test_every_number adds it up."""

import csv
import gc
import gzip
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from django.test import Client, override_settings
from django.utils import timezone

from aggregates.domain.calls import Call
from aggregates.domain.ranges import of_days
from aggregates.ingest import record
from aggregates.models import Membership, Organization, Role, UsageLog, User
from aggregates.query import reports
from aggregates.query.selection import CallSelection
from aggregates.query.usage_query import QueryError
from aggregates.rollup.protocol import roll_up
from aggregates.web.exports import calls, files, focus
from aggregates.web.views import exports
from tests.fixtures import make_organization
from tests.history import some_calls
from tests.words import NOT_KEPT


def test_groups_are_named_as_on_the_page_and_never_formulas(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    now = timezone.now().isoformat()
    names = ["", '=HYPERLINK("x")', "bob, charlie"]
    record(acme, [call(now, user_id=name, cost=len(names) - place) for place, name in enumerate(names)])
    response = client.get("/o/acme/usage.csv?range=24h&by=user")

    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
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
    rows = list(
        csv.DictReader(io.StringIO(client.get("/o/acme/usage.csv?range=7d&by=user").content.decode("utf-8-sig")))
    )
    assert (len(rows), rows[-1]["user"], rows[-1]["calls"]) == (51, "Other", "10")


def test_the_page_leads_to_it(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    client.force_login(alice)
    record(acme, [call(timezone.now().isoformat())])
    page = client.get("/o/acme/?by=user&range=90d").content.decode()
    assert 'href="/o/acme/usage.csv?range=90d&amp;by=user"' in page


FILES = ("usage.csv", "usage.xlsx", "usage.html", "focus.csv", "calls.csv")


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
    assert f"days before 2025-08-01 {NOT_KEPT}" in response.content.decode()


def test_a_days_calls_of_one_kind_are_a_row_of_focus(
    client: Client, alice: User, call: Callable[..., Call], db: None
) -> None:
    """The day in Kathmandu, where it begins at 18:15 UTC of the day before."""
    here = make_organization("here", "Asia/Kathmandu")
    Membership.objects.create(user=alice, organization=here, role=Role.ANALYST)
    client.force_login(alice)
    kind = {"provider": "anthropic", "model": "claude-x", "operation": "chat", "user_id": "bob", "project": "web"}
    times = ("2025-07-01T18:15Z", "2025-07-02T18:14:59Z", "2025-07-02T18:15Z")
    record(here, [call(time, **kind, input_tokens=10, output_tokens=5, cost="0.1") for time in times])
    response = client.get("/o/here/focus.csv?range=custom&from=2025-07-02&to=2025-07-31")
    first, second = csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig")))

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


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_file_of_focus_runs_nothing(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], first: str
) -> None:
    client.force_login(alice)
    Organization.objects.update(name=f"{first}cmd")
    texts = dict.fromkeys(("model", "provider", "project", "user_id", "subject_id", "operation"), f"x{first}cmd")
    now = timezone.now().isoformat()
    record(acme, [call(now, **texts, cost=1), call(now, model="", kind="charge", cost="-1", subject_id="x=")])
    UsageLog.objects.filter(kind="call").update(**{name: text.removeprefix("x") for name, text in texts.items()})

    content = b"".join(client.get("/o/acme/focus.csv?range=24h").streaming_content).decode()

    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert len(rows) == 2
    (of_call,) = (row for row in rows if row["ChargeCategory"] == "Usage")
    texts_of = ("BillingAccountName", "SkuId", "SubAccountId", "SubAccountName", "ProviderName", "PublisherName")
    assert [of_call[name] for name in texts_of] == [f"'{first}cmd"] * 6
    assert of_call["ServiceName"] == f"'{first}cmd models"
    is_number = re.compile(r"-?[0-9.]+").fullmatch
    risky = [text for row in rows for text in row.values() if text.startswith(reports.FORMULA) and not is_number(text)]
    assert risky == []


def test_a_workbook_runs_nothing(client: Client, alice: User, acme: Organization, call: Callable[..., Call]) -> None:
    client.force_login(alice)
    names = ['=HYPERLINK("http://example.com")', "https://example.com", "007", "+1"]
    record(acme, [call(timezone.now().isoformat(), user_id=name) for name in names])
    book = openpyxl.load_workbook(io.BytesIO(client.get("/o/acme/usage.xlsx?range=7d&by=user").content))
    cells = [cell for page in book for line in page.iter_rows() for cell in line if cell.value in names]

    assert {cell.value for cell in cells} == set(names)
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("status=error", lambda row: row["status"] == "error"),
        ("status=unpriced&user=alice", lambda row: row["cost"] == "" and row["user_id"] == "alice"),
        (
            "since=2025-07-02T06:00:00Z&until=2025-07-03T18:30:00Z",
            lambda row: "2025-07-02T06:00" <= row["timestamp"] < "2025-07-03T18:30",
        ),
    ],
)
def test_files_of_calls_hold_those_of_the_list(
    client: Client,
    alice: User,
    acme: Organization,
    call: Callable[..., Call],
    asked: str,
    kept: Callable[[dict[str, str]], bool],
) -> None:
    client.force_login(alice)
    record(acme, some_calls(call, datetime(2025, 6, 29, tzinfo=UTC), datetime(2025, 8, 3, tzinfo=UTC), 400))

    def rows(file: str, query: str) -> list[dict[str, str]]:
        dates = "range=custom&from=2025-06-29&to=2025-08-02"
        response = client.get(f"/o/acme/{file}?{dates}&{query}")
        return list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))

    expected = list(filter(kept, rows("calls.csv", "")))
    assert 0 < len(expected) < 400
    assert rows("calls.csv", asked) == expected
    charges = rows("focus.csv", asked)
    assert sum(int(row["x_Calls"]) for row in charges) == len(expected)
    cost = sum(Decimal(row["cost"] or 0) for row in expected)
    assert sum(Decimal(row["BilledCost"]) for row in charges) == cost
    days = [row["ChargePeriodStart"] for row in charges]
    assert days == sorted(days)
    assert {day[:10] for day in days} == {row["timestamp"][:10] for row in expected}


FILES = ("calls.csv", "focus.csv")


@pytest.mark.parametrize("file", FILES)
def test_a_user_has_only_so_many_files_on_their_way(
    client: Client, alice: User, bob: User, acme: Organization, call: Callable[..., Call], file: str
) -> None:
    record(acme, [call(timezone.now().isoformat())])
    client.force_login(alice)
    unread = [client.get(f"/o/acme/{file}") for _ in range(2)]
    for other in (file, "usage.csv", "usage.xlsx"):
        refused = client.get(f"/o/acme/{other}")
        assert (refused.status_code, int(refused["Retry-After"]) > 0) == (429, True)
        assert refused.content.decode().startswith("Other files of yours are being made or sent")
    client.force_login(bob)
    assert client.get(f"/o/acme/{file}").getvalue()
    client.force_login(alice)
    for response in unread:
        assert response.getvalue()
    assert client.get(f"/o/acme/{file}").getvalue()


def test_all_users_have_only_so_many_files_on_their_way(
    client: Client, alice: User, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()  # answers that other tests have not read: they have their places until then
    monkeypatch.setattr(files, "AT_ONCE", 1)
    client.force_login(alice)
    unread = client.get("/o/acme/calls.csv")
    refused = client.get("/o/acme/focus.csv")
    assert (refused.status_code, int(refused["Retry-After"]) > 0) == (503, True)
    assert unread.getvalue()
    assert client.get("/o/acme/usage.csv").status_code == 200


@override_settings(EXPORT_MAX_MB=0)
@pytest.mark.parametrize("file", FILES)
def test_a_file_is_no_larger_than_a_disk_is_for(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], file: str
) -> None:
    record(acme, [call(timezone.now().isoformat())])
    client.force_login(alice)
    for _ in range(3):  # what is refused counts no longer
        refused = client.get(f"/o/acme/{file}")
        assert refused.status_code == 400
        assert refused.content.decode().startswith("The file would have more than 0 MB: choose fewer days.")


@pytest.mark.parametrize("taken", ["br, gzip", "gzip;q=1.0,deflate;q=0.6"])
@pytest.mark.parametrize("file", FILES)
def test_a_file_comes_compressed_to_who_takes_it_so(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], file: str, taken: str
) -> None:
    record(acme, [call(timezone.now().isoformat(), subject_id=f"s{number}") for number in range(100)])
    client.force_login(alice)
    plain = client.get(f"/o/acme/{file}")
    packed = client.get(f"/o/acme/{file}", headers={"Accept-Encoding": taken})
    assert ("Content-Encoding" in plain, packed["Content-Encoding"]) == (False, "gzip")
    assert "Accept-Encoding" in plain["Vary"] and "Accept-Encoding" in packed["Vary"]
    content, compressed = plain.getvalue(), packed.getvalue()
    assert gzip.decompress(compressed) == content
    assert len(compressed) == int(packed["Content-Length"]) < len(content) == int(plain["Content-Length"])


def test_a_workbook_that_is_too_large_is_refused_before_it_is_read(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(alice)
    record(acme, [call("2025-07-01T10:00Z", user_id=f"u{number}") for number in range(9)])
    monkeypatch.setattr(exports, "load", lambda selection: pytest.fail("it was read"))
    response = client.get("/o/acme/usage.xlsx?range=custom&from=2016-01-01&to=2025-07-03&by=user&bucket=day")
    assert response.status_code == 400
    assert response.content.decode().startswith("bucket: Expected at most 20,000 rows in a workbook, got 31,2")


@pytest.mark.parametrize("as_csv", [calls.as_csv, focus.as_csv])
def test_a_file_that_would_lack_dropped_calls_breaks_off(
    acme: Organization, call: Callable[..., Call], as_csv: Callable[[CallSelection], Iterator[bytes]]
) -> None:
    record(acme, [call("2025-07-01T10:00Z"), call("2025-08-01T10:00Z")])
    whole = CallSelection(acme, of_days("custom", date(2025, 7, 1), date(2025, 8, 31), "UTC"))
    stream = as_csv(whole)
    Organization.objects.filter(pk=acme.pk).update(log_from=date(2025, 8, 1))  # after the request was judged
    with pytest.raises(QueryError, match=f"the calls of days before 2025-08-01 {NOT_KEPT}"):
        next(stream)


def test_what_has_no_price_is_not_free_in_a_workbook(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call]
) -> None:
    client.force_login(alice)
    record(acme, [call(timezone.now().isoformat(), model="o9", cost=None), call(timezone.now().isoformat(), cost=2)])
    response = client.get("/o/acme/usage.xlsx?range=7d&by=model&bucket=day", headers={"Accept-Language": "de-DE"})
    book = openpyxl.load_workbook(io.BytesIO(response.content))

    lines = {line[0]: line[1:] for line in book["Top models"].iter_rows(values_only=True)}
    assert (lines["o9"][0], lines["Total"][0]) == ("no price", 2)
    header, *_, last, total = book["Cost by model"].iter_rows(values_only=True)
    place = header.index("o9")
    assert (last[place], total[place]) == ("no price", "no price")
    (dates,) = (line[1] for line in book["Totals"].iter_rows(values_only=True) if line[0] == "Range")
    assert re.match(r"\d+ (\w{3} (20\d\d )?)?– \d+ \w{3} 20\d\d, days in UTC$", dates), "the same for every reader"


def test_a_file_for_which_there_is_no_room_is_refused_in_words(
    client: Client, alice: User, acme: Organization, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(alice)
    record(acme, [call(timezone.now().isoformat())])
    monkeypatch.setattr(files, "TemporaryFile", lambda: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    answers = [client.get("/o/acme/calls.csv?range=24h") for _ in range(3)]  # more than there is place for

    assert [answer.status_code for answer in answers] == [503] * 3
    assert "There is no room for this file just now" in answers[0].content.decode()
    assert int(answers[0]["Retry-After"]) > 0
