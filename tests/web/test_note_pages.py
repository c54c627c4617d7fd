"""Notes on days: made by admins, seen by everybody in the organization, wherever that day is shown."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest
from django.test import Client

from aggregates.accounts import day_notes, keys
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DayNote, Kind, Organization, User
from tests.figures import figure_in

URL = "/o/acme/notes/"
RANGE = "range=custom&from=2025-07-01&to=2025-07-31"
LAUNCH = date(2025, 7, 14)


@pytest.fixture
def used(acme: Organization, call: Callable[..., Call]) -> Organization:
    record(acme, [call("2025-07-14T12:00Z", cost=1), call("2025-07-20T12:00Z", cost=2)])
    return acme


def test_an_admin_notes_something_and_everybody_sees_it(
    client: Client, used: Organization, alice: User, bob: User
) -> None:
    client.force_login(alice)
    response = client.post(URL, {"first": "2025-07-14", "last": "", "text": "  Launch </script>  & co "}, follow=True)
    assert "Noted" in response.content.decode()
    note = DayNote.objects.get()
    assert (note.first, note.last, note.text, note.author) == (LAUNCH, None, "Launch </script> & co", alice)

    client.force_login(bob)
    page = client.get(f"/o/acme/?{RANGE}").content.decode()
    assert "<bdi>Launch &lt;/script&gt; &amp; co</bdi>" in page
    assert "Launch </script>" not in page
    assert "Add a note" not in page
    for name in ("explore", "calls", "tokens"):
        trace = figure_in(page, name)["data"][-1]
        assert trace["customdata"][13] == "Launch </script> & co"
    assert "&lt;/script&gt;" in client.get(URL).content.decode()


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"first": ""}, "This field is required."),
        ({"first": "14.7.2025"}, "Expected a date, YYYY-MM-DD."),
        ({"first": "1999-12-31"}, "Expected a date from 2000-01-01"),
        ({"first": "3000-01-01"}, "Expected a date from 2000-01-01"),
        ({"last": "2025-07-13"}, "Expected a date not before 2025-07-14"),
        ({"text": " "}, "This field is required."),
        ({"text": "x" * 201}, "at most 200 characters"),
        ({"text": "a\0b"}, "Null characters are not allowed."),
        ({"text": "There already"}, "This is noted on that day already."),
    ],
)
def test_what_cannot_be_noted_is_said(client: Client, alice: User, sent: dict[str, str], problem: str) -> None:
    day_notes.add(alice.organizations.get(), LAUNCH, None, "There already", None)
    client.force_login(alice)

    response = client.post(URL, {"first": "2025-07-14", "last": "", "text": "launch", **sent})

    assert response.status_code == 200
    assert problem in response.content.decode()
    assert DayNote.objects.count() == 1


def test_only_admins_make_and_delete_notes(client: Client, alice: User, bob: User, charlie: User) -> None:
    note = day_notes.add(alice.organizations.get(), LAUNCH, None, "launch", alice)
    for user in (bob, charlie):
        client.force_login(user)
        assert client.post(URL, {"first": "2025-07-14", "text": "mine"}).status_code == 404
        assert client.post(f"{URL}{note.pk}/delete/").status_code == 404
    theirs = day_notes.add(charlie.organizations.get(), LAUNCH, None, "theirs", charlie)
    client.force_login(alice)
    assert client.post(f"{URL}{theirs.pk}/delete/").status_code == 404
    assert {note.text for note in DayNote.objects.all()} == {"launch", "theirs"}

    response = client.post(f"{URL}{note.pk}/delete/", follow=True)
    assert "Deleted “launch”." in response.content.decode()
    assert client.post(f"{URL}{note.pk}/delete/").status_code == 404
    assert list(DayNote.objects.all()) == [theirs]


def test_forms_need_their_token(alice: User) -> None:
    note = day_notes.add(alice.organizations.get(), LAUNCH, None, "launch", alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    assert client.post(URL, {"first": "2025-07-14", "text": "x"}).status_code == 403
    assert client.post(f"{URL}{note.pk}/delete/").status_code == 403


def test_notes_are_a_sheet_of_the_workbook(client: Client, used: Organization, alice: User) -> None:
    day_notes.add(used, LAUNCH, date(2025, 7, 16), "=1+1", alice)
    client.force_login(alice)

    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/o/acme/usage.xlsx?{RANGE}").content))

    header, line = book["Notes"].iter_rows(values_only=True)
    assert header == ("From", "To", "Kind", "Note", "By")
    assert [str(cell)[:10] for cell in line[:2]] == ["2025-07-14", "2025-07-16"]
    assert line[2:] == ("note", "=1+1", "alice@example.com")
    assert book["Notes"]["D2"].data_type == "s"
    without = openpyxl.load_workbook(io.BytesIO(client.get("/o/acme/usage.xlsx?range=7d").content))
    assert "Notes" not in without.sheetnames


def test_programs_read_notes(client: Client, acme: Organization, other: Organization, alice: User) -> None:
    day_notes.add(acme, LAUNCH, None, "launch", alice)
    day_notes.add(acme, date(2025, 7, 20), date(2025, 8, 3), "campaign", None)
    day_notes.add(acme, date(2025, 8, 20), None, "later", None)
    day_notes.add(other, LAUNCH, None, "theirs", None)
    headers = {"Authorization": f"Bearer {keys.create(acme, 'report', None, Kind.READ)[1].text}"}

    answer = client.get(f"/api/v1/notes?{RANGE}&by=user&measure=tokens", headers=headers).json()

    assert answer == {
        "organization": "acme",
        "time_zone": "UTC",
        "from": "2025-07-01",
        "to": "2025-07-31",
        "notes": [
            {"kind": "note", "from": "2025-07-14", "to": "2025-07-14", "text": "launch", "author": alice.email},
            {"kind": "note", "from": "2025-07-20", "to": "2025-08-03", "text": "campaign", "author": None},
        ],
    }
    assert client.get("/api/v1/notes?range=fortnight", headers=headers).status_code == 400
    assert client.get("/api/v1/notes?colour=red", headers=headers).status_code == 400


def test_a_key_that_records_reads_no_notes(client: Client, acme: Organization) -> None:
    headers = {"Authorization": f"Bearer {keys.create(acme, 'checkout', None, Kind.RECORD)[1].text}"}

    assert client.get("/api/v1/notes", headers=headers).status_code == 401


def test_a_note_of_today_is_in_the_hours_of_today(
    client: Client, acme: Organization, alice: User, call: Callable[..., Call]
) -> None:
    now = datetime.now(UTC)
    record(acme, [call((now - timedelta(minutes=1)).isoformat(), cost=1)])
    day_notes.add(acme, now.date() - timedelta(days=1), now.date(), "campaign", alice)
    client.force_login(alice)

    page = client.get("/o/acme/?range=24h").content.decode()

    assert figure_in(page, "explore")["data"][-1]["customdata"] == ["campaign"] * 24
