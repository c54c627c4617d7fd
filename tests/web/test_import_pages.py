"""The pages for importing files: for an organization's admins, from a file to calls that count."""

import gzip
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client, override_settings

from aggregates.models import FileChunk, FileImport, ImportState, Organization, UsageLog, User
from aggregates.ops import imports
from aggregates.web.pages import imports as previews
from aggregates.web.views import uploading
from tests.ingest.dialects.samples import LANGFUSE, lines
from tests.ingest.importing.conftest import give
from tests.words import CUT_OFF

URL = "/o/acme/imports/"
OWN = b"timestamp,model,input_tokens,cost\n2025-03-01T10:00Z,gpt-5,1200,0.25\n2025-03-02T10:00Z,gpt-5,10,0.5\n"
UNKNOWN = b"When,Engine,Fresh,Cached\n2025-03-01,gpt-5,100,20\n"


def drop(client: Client, content: bytes, name: str = "calls.csv", **more: Any) -> HttpResponse:
    form = {"file": SimpleUploadedFile(name, content), "end": "1", **more}
    response: HttpResponse = client.post(URL, form)
    return response


def page(client: Client, imported: FileImport, **headers: str) -> str:
    return client.get(f"{URL}{imported.pk}/", headers=headers).content.decode()


@pytest.fixture
def logged_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_a_file_is_dropped_looked_at_and_queued(logged_in: Client, acme: Organization, alice: User) -> None:
    response = drop(logged_in, OWN)
    imported = FileImport.objects.get()
    assert response.headers["Location"] == f"{URL}{imported.pk}/"
    assert (imported.organization, imported.created_by, imported.name) == (acme, alice, "calls.csv")
    assert not UsageLog.objects.exists()

    shown = page(logged_in, imported)
    for words in ("Recognised as <b>calls</b>", "Import 2 calls", "$0.75", "1 – 2 Mar 2025", "all of the file"):
        assert words in shown

    response = logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1"})
    assert response.headers["Location"] == f"{URL}{imported.pk}/"
    assert FileImport.objects.get().state == ImportState.QUEUED
    assert 'hx-trigger="every 1s"' in page(logged_in, imported)


@pytest.mark.django_db(transaction=True)
def test_the_result_leads_to_the_days_of_the_file(logged_in: Client) -> None:
    drop(logged_in, OWN)
    imported = FileImport.objects.get()
    logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1"})
    imports.run_import()

    for shown in (page(logged_in, imported), page(logged_in, imported, **{"HX-Request": "true"})):
        assert "2 calls recorded" in shown
        assert "range=custom&amp;from=2025-03-01&amp;to=2025-03-02" in shown
        assert "every 1s" not in shown
    listed = logged_in.get(URL).content.decode()
    assert "badge-done" in listed


MISFITS = (
    "user_id: left out: expected text (1 call)",
    "output_tokens: left out: expected a whole number from 0 to 1,000,000,000 (2 calls)",
)


@pytest.mark.django_db(transaction=True)
def test_fields_that_do_not_fit_are_told_before_and_after(logged_in: Client) -> None:
    rows = [
        {**LANGFUSE[1], "user_id": {"name": "private"}, "usage_details": {"input": 5, "output": "many"}},
        {**LANGFUSE[2], "usage_details": {"input": 5, "output": [7]}},
    ]
    drop(logged_in, lines(*rows).encode(), "observations.jsonl")
    imported = FileImport.objects.get()
    before = page(logged_in, imported)
    logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1"})
    imports.run_import()
    for shown in (before, page(logged_in, imported)):
        told = shown.partition("Fields that did not fit: ")[2].partition("</p>")[0]
        assert sorted(told.split("; ")) == sorted(MISFITS)
        assert "private" not in shown
    drop(logged_in, OWN)
    assert "did not fit" not in page(logged_in, FileImport.objects.latest("pk"))


def test_of_an_unknown_file_columns_are_chosen(logged_in: Client) -> None:
    drop(logged_in, UNKNOWN)
    imported = FileImport.objects.get()
    shown = page(logged_in, imported)
    assert "say which column is timestamp" in shown
    assert 'value="Fresh"' in shown and 'name="start"' not in shown

    chosen = {"base": "auto", "path-timestamp": "When", "path-model": "Engine", "path-input_tokens": "Fresh+Cached"}
    logged_in.post(f"{URL}{imported.pk}/", chosen)
    assert '<td class="number">120</td>' in page(logged_in, imported)

    logged_in.post(f"{URL}{imported.pk}/", {**chosen, "start": "1", "value-user_id": "alice"})
    imported.refresh_from_db()
    assert (imported.state, imported.base) == ("queued", "")
    assert imported.paths == {"timestamp": "When", "model": "Engine", "input_tokens": "Fresh+Cached"}
    assert imported.values == {"user_id": "alice"}


def test_a_preset_is_chosen_by_hand_and_drops_what_was_proposed(logged_in: Client) -> None:
    drop(logged_in, OWN)
    imported = FileImport.objects.get()
    logged_in.post(f"{URL}{imported.pk}/", {"base": "litellm", "path-model": "model", "value-user_id": "alice"})
    imported.refresh_from_db()
    assert (imported.base, imported.paths, imported.values) == ("litellm", {}, {})
    logged_in.post(f"{URL}{imported.pk}/", {"base": "litellm", "value-user_id": "alice"})
    imported.refresh_from_db()
    assert imported.values == {"user_id": "alice"}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"base": "nonsense"}, "base: Select a valid choice"),
        ({"path-model": "a", "value-model": "b"}, "Model is both mapped and set."),
        ({"value-input_tokens": "many"}, "Input_tokens: expected a whole number"),
        ({"path-model": "x" * 1001}, "model: Ensure this value has at most 1000 characters"),
        ({"path-model": "a\0b"}, "model: Null characters are not allowed."),
        ({"path-model": "<b>"}, "There is no column “&lt;b&gt;”"),
    ],
)
def test_what_makes_no_sense_is_said_in_words(logged_in: Client, form: dict[str, str], words: str) -> None:
    drop(logged_in, OWN)
    imported = FileImport.objects.get()
    response = logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1", **form}, follow=True)
    assert words in response.content.decode()
    assert FileImport.objects.get().state == ImportState.READY


def test_a_number_for_every_row_is_read_as_its_reader_writes_it_and_shown_so(logged_in: Client) -> None:
    german = {"Accept-Language": "de"}
    drop(logged_in, UNKNOWN)
    imported = FileImport.objects.get()
    chosen = {"base": "auto", "path-timestamp": "When", "path-model": "Engine", "value-latency_ms": "250"}

    logged_in.post(f"{URL}{imported.pk}/", {**chosen, "value-cost": "1,125"}, headers=german)
    imported.refresh_from_db()
    assert imported.values == {"cost": "1.125", "latency_ms": "250"}
    assert 'value="1,125"' in logged_in.get(f"{URL}{imported.pk}/", headers=german).content.decode()

    refused = logged_in.post(f"{URL}{imported.pk}/", {**chosen, "value-cost": "1.125"}, headers=german)
    assert "cost: “1.125” may be 1125 or 1,125: write it as one of these." in refused.content.decode()


def test_rows_that_are_no_calls_are_left_out_only_if_that_was_said(logged_in: Client) -> None:
    drop(logged_in, OWN + b"never,gpt-5,1,1\n")
    imported = FileImport.objects.get()
    assert "<b>Line 4</b> <bdi>timestamp: expected" in page(logged_in, imported)
    refused = logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1"}).content.decode()
    assert "choose to leave such rows out" in refused
    logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1", "skip_rejected": "on"})
    assert FileImport.objects.get().state == ImportState.QUEUED


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04", "got a ZIP archive or a workbook: unpack it"),
        (b"\xff\xfet\0", "got text in UTF-16: save it as UTF-8"),
        (b"\x89PNG\r\n\0", "expected UTF-8 text"),
        (b"\n\n", "The file is empty."),
        (gzip.compress(OWN, mtime=0)[:-9], CUT_OFF),
    ],
)
def test_a_file_that_cannot_be_read_says_what_was_expected(logged_in: Client, content: bytes, words: str) -> None:
    drop(logged_in, content)
    imported = FileImport.objects.get()
    assert words in page(logged_in, imported)
    shown = logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1"}, follow=True)
    assert words in shown.content.decode()
    assert FileImport.objects.get().state == ImportState.READY


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"end": "1"}, 400, "Choose a file."),
        ({"file": SimpleUploadedFile("a.csv", b""), "end": "1"}, 400, "The file is empty."),
        ({"file": SimpleUploadedFile("a.csv", b"a")}, 400, "The file did not arrive whole"),
        ({"file": "text", "end": "1"}, 400, "Choose a file."),
    ],
)
def test_what_is_no_file_is_refused(logged_in: Client, form: dict[str, Any], status: int, words: str) -> None:
    response = logged_in.post(URL, form)
    assert (response.status_code, words in response.content.decode()) == (status, True)
    assert not FileImport.objects.exists() and not FileChunk.objects.exists()


class Unread(BytesIO):
    """A body that nobody may read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("it was read")


@override_settings(IMPORT_MAX_MB=1)
def test_a_file_that_is_too_large_is_refused_before_it_is_read(logged_in: Client) -> None:
    for length in (str(1_000_000 + uploading.BESIDE + 1), "9" * 25):
        request = {"CONTENT_LENGTH": length, "wsgi.input": Unread()}
        response = logged_in.post(URL, data="x", content_type="multipart/form-data; boundary=x", **request)
        assert response.status_code == 413
        assert "The file is larger than 1 MB" in response.content.decode()
    assert not FileImport.objects.exists()


@override_settings(IMPORT_MAX_MB=1)
def test_a_file_as_large_as_may_be_is_taken(logged_in: Client) -> None:
    assert drop(logged_in, b"x" * 1_000_000).status_code == 302
    assert FileImport.objects.get().size == 1_000_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example.com"},
        {"Origin": "null"},
        {"Referer": "https://elsewhere.example.com/o/acme/imports/"},
    ],
)
def test_a_file_that_another_site_sends_is_refused_before_it_is_read(
    logged_in: Client, headers: dict[str, str]
) -> None:
    body = {"CONTENT_LENGTH": "1000", "wsgi.input": Unread()}
    response = logged_in.post(URL, data="x", content_type="multipart/form-data; boundary=x", headers=headers, **body)
    assert response.status_code == 403


@pytest.mark.parametrize("name", ["bob", "charlie", ""])
def test_of_a_file_that_somebody_may_not_send_nothing_is_read(
    client: Client, name: str, request: pytest.FixtureRequest
) -> None:
    if name:
        client.force_login(request.getfixturevalue(name))
    body = {"CONTENT_LENGTH": "1000", "wsgi.input": Unread()}
    response = client.post(URL, data="x", content_type="multipart/form-data; boundary=x", **body)
    assert response.status_code == (404 if name else 302)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {}])
def test_a_file_of_this_site_is_taken(logged_in: Client, headers: dict[str, str]) -> None:
    file = SimpleUploadedFile("calls.csv", OWN)
    assert logged_in.post(URL, {"file": file, "end": "1"}, headers=headers).status_code == 302


def test_another_file_of_the_organization_is_waited_for(logged_in: Client, acme: Organization, bob: User) -> None:
    imports.start(give(acme, bob, OWN))
    drop(logged_in, OWN)
    mine = FileImport.objects.get(state=ImportState.READY)
    shown = logged_in.post(f"{URL}{mine.pk}/", {"base": "auto", "start": "1"}).content.decode()
    assert "Another file is being imported" in shown


def test_a_file_is_given_up_and_a_running_import_cancelled(logged_in: Client) -> None:
    drop(logged_in, OWN)
    first = FileImport.objects.get()
    response = logged_in.post(f"{URL}{first.pk}/cancel/", follow=True)
    assert "Nothing of it was recorded." in response.content.decode()
    assert not FileChunk.objects.exists()
    assert "ended already" in logged_in.post(f"{URL}{first.pk}/cancel/", follow=True).content.decode()

    drop(logged_in, OWN)
    second = FileImport.objects.get(state=ImportState.READY)
    FileImport.objects.filter(pk=second.pk).update(state=ImportState.RUNNING)
    shown = logged_in.post(f"{URL}{second.pk}/cancel/", follow=True).content.decode()
    assert "It is being cancelled" in shown


@pytest.mark.parametrize("path", ["", "{number}/", "{number}/cancel/"])
@pytest.mark.parametrize("who", ["nobody", "bob", "charlie", "staff"])
def test_nobody_else_does_anything(
    client: Client, request: pytest.FixtureRequest, acme: Organization, alice: User, who: str, path: str
) -> None:
    imported = give(acme, alice, OWN)
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))
    form = {"file": SimpleUploadedFile("a.csv", OWN), "end": "1", "base": "auto", "start": "1"}
    address = URL + path.format(number=imported.pk)
    assert client.post(address, form).status_code == (302 if who == "nobody" else 404)
    if "cancel" not in path:
        assert client.get(address).status_code == (302 if who == "nobody" else 404)
    assert list(FileImport.objects.values_list("pk", "state")) == [(imported.pk, "ready")]


@pytest.mark.parametrize("path", ["", "cancel/"])
def test_the_own_page_leads_to_no_file_of_others(
    logged_in: Client, other: Organization, charlie: User, path: str
) -> None:
    theirs = give(other, charlie, OWN, name="secret.csv")
    for number in (theirs.pk, 0, 10**30):
        assert logged_in.post(f"{URL}{number}/{path}", {"base": "auto"}).status_code == 404
        assert path or logged_in.get(f"{URL}{number}/").status_code == 404
    assert "secret.csv" not in logged_in.get(URL).content.decode()
    assert FileImport.objects.get().state == ImportState.READY


@pytest.mark.parametrize("path", ["", "{number}/", "{number}/cancel/"])
def test_forms_of_other_sites_are_refused(acme: Organization, alice: User, path: str) -> None:
    imported = give(acme, alice, OWN)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    form = {"file": SimpleUploadedFile("a.csv", OWN), "end": "1", "base": "auto", "start": "1"}
    assert client.post(URL + path.format(number=imported.pk), form).status_code == 403
    assert list(FileImport.objects.values_list("pk", "state")) == [(imported.pk, "ready")]


def test_a_form_of_the_page_itself_passes(acme: Organization, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get(URL)
    token = client.cookies["csrftoken"].value
    assert drop(client, OWN, csrfmiddlewaretoken=token).status_code == 302


def test_only_admins_are_shown_the_way(client: Client, alice: User, bob: User) -> None:
    shown = {}
    for user in (alice, bob):
        client.force_login(user)
        shown[user.email] = f'href="{URL}"' in client.get("/o/acme/").content.decode()
    assert shown == {"alice@example.com": True, "bob@example.com": False}


def test_a_name_and_a_row_of_a_file_are_no_markup(logged_in: Client) -> None:
    drop(logged_in, b"timestamp,model,<i>,x\n2025-03-01,<script>alert(1)</script>,1,2\n", name="<b>a.csv")
    shown = page(logged_in, FileImport.objects.get())
    assert "<script>alert" not in shown and "<b>a.csv" not in shown and "<i>" not in shown
    assert "&lt;script&gt;alert" in shown


def test_a_file_of_a_day_that_is_not_over_says_why_there_is_no_call(logged_in: Client) -> None:
    drop(
        logged_in, f"usage_date_utc,model,cost_usd\n{datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%d},m,1\n".encode()
    )
    shown = page(logged_in, FileImport.objects.get())
    assert "There is no call in it: 1 row is of another kind, or of a time that is not over yet." in shown
    assert "Import the file" not in shown


def test_one_file_is_looked_at_at_a_time(logged_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.01)
    drop(logged_in, OWN)
    imported = FileImport.objects.get()
    with previews._looking:
        assert "Other files are being looked at just now" in page(logged_in, imported)
        logged_in.post(f"{URL}{imported.pk}/", {"base": "auto", "start": "1"})
        assert FileImport.objects.get().state == ImportState.READY
    assert "Import 2 calls" in page(logged_in, imported)
