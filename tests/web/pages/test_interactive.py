"""The dashboard as one HTML file: whole, and whatever is recorded stays text."""

import gzip
import re
from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client

from aggregates.accounts import day_notes
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
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
    assert "July" not in markup and "1 – 31 Jul 2025, days in UTC" in markup
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


def test_nothing_of_plotlys_ends_its_element() -> None:
    for name in (
        interactive.PLOTLY,
        interactive.SCRIPT,
        *(f"aggregates/css/{each}.css" for each in interactive.STYLES),
    ):
        assert not re.search("</(script|style)", interactive._inlined(name), re.I)
    assert len(interactive._inlined(interactive.PLOTLY)) > 1_000_000


def test_a_file_is_refused_where_others_are_being_made(
    client: Client, used: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with files.slot(alice.pk), files.slot(alice.pk):
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
