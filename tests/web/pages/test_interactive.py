"""The dashboard as one HTML file: whole, and whatever is recorded stays text."""

import gzip
import io
import re
from collections.abc import Callable
from datetime import date

import openpyxl
import pytest
from django.test import Client

from aggregates.accounts import day_notes, keys
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
from aggregates.query import latencies
from aggregates.rollup.protocol import roll_up
from aggregates.web.exports import files, interactive

URL = "/o/acme/usage.html?range=custom&from=2025-07-01&to=2025-07-31"
NAMES = (
    "</script><script>alert(1)</script>",
    "<b>bold</b> & %{y}",
    "\"quoted\" 'name'",
    "<!--<script>",
    "]]>\\u003c",
    "{{ user }}{% now %}",
    "مرحبا",
    "",
)


@pytest.fixture
def used(acme: Organization, alice: User, client: Client, call: Callable[..., Call]) -> Organization:
    client.force_login(alice)
    record(acme, [call("2025-07-14T12:00Z", cost=number + 1, user_id=name) for number, name in enumerate(NAMES)])
    day_notes.add(acme, date(2025, 7, 14), None, NAMES[0], alice)
    return acme


def scripts_of(file: str) -> list[str]:
    return re.findall(r"<script\b[^>]*>(.*?)</script", file, re.S | re.I)


def test_it_is_sent_as_a_file_and_is_whole(client: Client, used: Organization) -> None:
    response = client.get(f"{URL}&by=user", headers={"Accept-Encoding": "gzip"})

    assert response["Content-Disposition"] == 'attachment; filename="acme-usage-2025-07-01-2025-07-31.html"'
    assert response["Content-Type"] == "text/html; charset=utf-8"
    packed = response.getvalue()
    file = gzip.decompress(packed).decode()
    assert file.startswith("<!doctype html>") and file.rstrip().endswith("</html>")
    assert len(packed) < 600_000
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", file, flags=re.S)
    assert not re.search(r'\b(src|href|action|srcset)="', markup)
    assert "url(http" not in file
    assert "default-src &#x27;none&#x27;" in file or "default-src 'none'" in file
    assert "July" not in markup and "1 – 31 Jul 2025, " in markup and ", days in UTC" in markup
    assert re.search(r"As of \d+ \w+ \d{4} \d\d:\d\d UTC", markup)


def test_recorded_texts_end_no_script_and_begin_none(client: Client, used: Organization) -> None:
    plain = client.get(f"{URL}&by=model").getvalue().decode()
    file = client.get(f"{URL}&by=user&not_user={NAMES[3]}").getvalue().decode()

    assert len(scripts_of(file)) == len(scripts_of(plain)) == 5
    assert "alert(1)" in file
    assert "<script>alert" not in file and "</script><script>" not in file.replace("\n", "")
    assert "{{ user }}{% now %}" in file
    for name in NAMES[:2]:
        assert name not in file


def tables_of(page: str) -> list[str]:
    """The texts of the tables, without markup."""
    tables = re.findall(r'<section class="card card-table".*?<table[^>]*>(.*?)</table>', page, re.S)
    return [
        " ".join(re.sub(r"<wbr>|<[^>]*>", lambda tag: "" if tag[0] == "<wbr>" else " ", each).split())
        for each in tables
    ]


@pytest.mark.parametrize("measure", ["cost", "p50", "p95", "throughput"])
def test_its_tables_are_those_of_the_page(
    client: Client, acme: Organization, alice: User, call: Callable[..., Call], measure: str
) -> None:
    client.force_login(alice)
    key, _ = keys.create(acme, "Night batch", None)
    times = {"latency_ms": 1500, "output_tokens": 30}
    record(acme, [call("2025-07-14T12:00Z", user_id=str(n), **times)._replace(key=key.prefix) for n in range(12)])
    query = f"range=custom&from=2025-07-01&to=2025-07-31&by=key&measure={measure}"

    page, file = (client.get(f"/o/acme/{path}?{query}").getvalue().decode() for path in ("", "usage.html"))

    assert tables_of(file) == tables_of(page)
    assert f"Night batch ({key.prefix})" in tables_of(file)[0]
    assert ("p95" in tables_of(file)[0]) == (measure != "cost")


def test_it_says_what_latencies_are_of_and_why_some_are_not_known(
    client: Client, used: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = "Latencies are of the 0 of 8 calls that tell them"
    unknown = "no daily aggregate holds latencies by user: ask for fewer days."
    assert known in client.get(f"{URL}&measure=p95").getvalue().decode()
    assert "Latencies" not in client.get(URL).getvalue().decode()
    assert known in about(client, "&measure=p95")["Latencies"]
    roll_up()
    monkeypatch.setattr(latencies, "MOST_CALLS", 1)

    file = client.get(f"{URL}&by=user&measure=p95").getvalue().decode()

    assert "Not all latencies are known here." in file and unknown in file
    assert about(client, "&by=user&measure=p95")["Latencies not known"].endswith(unknown)
    assert not {"Latencies", "Latencies not known"} & about(client, "").keys()


def about(client: Client, query: str) -> dict[str, str]:
    """What the first sheet of the workbook tells."""
    response = client.get(URL.replace("usage.html", "usage.xlsx") + query)
    lines = openpyxl.load_workbook(io.BytesIO(response.getvalue()))["Totals"].iter_rows(values_only=True)
    return {str(line[0]): str(line[1]) for line in lines if line[0]}


def test_nothing_of_plotlys_ends_its_element() -> None:
    for name in (
        interactive.PLOTLY,
        *interactive.SCRIPTS,
        *(f"aggregates/css/{each}.css" for each in interactive.STYLES),
    ):
        assert not re.search("</(script|style)", interactive._inlined(name), re.I)
    assert len(interactive._inlined(interactive.PLOTLY)) > 1_000_000


def test_a_file_is_refused_where_others_are_being_made(
    client: Client, used: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with files.place(alice.pk), files.place(alice.pk):
        refused = client.get(URL)
    assert (refused.status_code, refused["Retry-After"]) == (429, "10")
    monkeypatch.setattr("django.conf.settings.EXPORT_MAX_MB", 1)
    refused = client.get(URL)
    assert refused.status_code == 400
    assert "more than 1 MB" in refused.content.decode()


def test_an_empty_range_is_a_file_too(client: Client, used: Organization) -> None:
    response = client.get("/o/acme/usage.html?range=custom&from=2020-01-01&to=2020-01-31")

    assert response.status_code == 200
    assert "1 – 31 Jan 2020" in response.getvalue().decode()


def test_a_viewer_gets_it_and_a_stranger_does_not(client: Client, used: Organization, bob: User, charlie: User) -> None:
    client.force_login(bob)
    assert client.get(URL).status_code == 200
    client.force_login(charlie)
    assert client.get(URL).status_code == 404
