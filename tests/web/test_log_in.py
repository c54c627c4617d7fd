"""People log in, out, and change their passwords; nobody guesses them, and guessing keeps nobody from the pages."""

import logging
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from aggregates.models import Organization, User
from aggregates.ops import tasks
from aggregates.ops.allowances import Lane, allowance_of
from tests import hashers
from tests.words import COMMON, NUMERIC, TOO_SHORT

URL = "/o/acme/"
PASSWORD, NEW = "correct horse", "battery staple"
HERE, THERE = "203.0.113.7", "198.51.100.3"
LogIn = Callable[..., HttpResponse]
Settings = Any


@pytest.fixture
def log_in(db: None, settings: Settings) -> LogIn:
    """Log in as a new visitor from this address, behind a proxy."""
    settings.TRUSTED_PROXIES = 1

    def post(email: str, password: str, address: str = HERE, client: Client | None = None) -> Any:
        answers = {"login": email, "password": password}
        return (client or Client()).post("/login/", answers, headers={"X-Forwarded-For": address})

    return post


@pytest.fixture
def hashed(settings: Settings, alice: User) -> Iterator[list[str]]:
    """The passwords that were hashed."""
    settings.PASSWORD_HASHERS = [hashers.COUNTING]
    hashers.Counting.hashed.clear()
    yield hashers.Counting.hashed
    hashers.Counting.hashed.clear()


def test_who_guesses_is_refused_in_words_before_anything_is_hashed(
    log_in: LogIn, hashed: list[str], alice: User
) -> None:
    answers = [log_in(alice.email, f"wrong horse {number}") for number in range(40)]
    hashed_before = len(hashed)
    right = log_in(alice.email, PASSWORD)

    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 30
    assert hashed_before == 10
    assert "do not belong together" in answers[0].content.decode()
    assert (right.status_code, len(hashed)) == (429, hashed_before)
    assert "Too many attempts: try again in 10 minutes." in right.content.decode()
    assert 590 < int(right["Retry-After"]) <= 600
    assert log_in(alice.email, PASSWORD, THERE).status_code == 302  # she is not locked out


def test_a_flood_from_an_address_is_hashed_thirty_times(log_in: LogIn, hashed: list[str], alice: User) -> None:
    answers = [log_in(f"user-{number}@example.com", "whatever it is") for number in range(40)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 10
    assert len(hashed) == 30


def test_right_passwords_count_for_nothing(log_in: LogIn, alice: User, bob: User) -> None:
    assert {log_in(user.email, PASSWORD).status_code for user in (alice, bob) for _ in range(20)} == {302}


@pytest.mark.parametrize("alike", ["alıce@example.com", "ALİCE@example.com"])
def test_letters_that_look_alike_are_no_other_way_to_an_account(log_in: LogIn, alice: User, alike: str) -> None:
    User.objects.create_user("alıce@example.com", "another horse")

    assert log_in(alice.email, PASSWORD).status_code == 302
    assert log_in("ALICE@example.com", PASSWORD).status_code == 302
    assert log_in(alike, PASSWORD).status_code == 200


def test_staff_are_limited_as_everybody_is(log_in: LogIn, staff: User, client: Client) -> None:
    for _ in range(10):
        log_in(staff.email, "wrong horse")

    assert log_in(staff.email, PASSWORD).status_code == 429
    client.force_login(staff)
    answer = client.post("/admin/login/", {"username": "alice@example.com", "password": "a guess of staff"})
    assert answer.headers["Location"] == "/admin/"  # the admin's own form is not there


def test_the_admins_own_form_for_passwords_is_not_there(hashed: list[str], staff: User, client: Client) -> None:
    client.force_login(staff)
    answers = {"old_password": "a guess of theirs", "new_password1": NEW, "new_password2": NEW}
    answer = client.post("/admin/password_change/", answers)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/password/")
    assert "a guess of theirs" not in hashed


def test_a_failure_leaves_a_line_without_the_password(
    log_in: LogIn, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    log_in(alice.email, "wrong horse")
    log_in("my-secret@password.example", "wrong horse")

    lines = [record.getMessage() for record in caplog.records if record.name == "aggregates.accounts.signals"]
    assert lines == [
        "A log-in failed: account ali..., address 203.0.113.7",
        "A log-in failed: account my-..., address 203.0.113.7",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


# ------------------------------------------------------------------ two tabs


@pytest.fixture
def tabs(alice: User) -> Iterator[tuple[Client, str]]:
    """A browser with the form to log in in two tabs, and the token in them."""
    browser = Client(enforce_csrf_checks=True)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/login/").content.decode())
    assert token
    yield browser, token[1]


def answers_of(user: User, token: str) -> dict[str, str]:
    return {"login": user.email, "password": PASSWORD, "csrfmiddlewaretoken": token}


@pytest.mark.parametrize(("wanted", "place"), [("/o/acme/keys/", "/o/acme/keys/"), ("//elsewhere.example.com/", "/")])
def test_the_second_tab_with_the_form_leads_on(tabs: tuple[Client, str], alice: User, wanted: str, place: str) -> None:
    browser, token = tabs
    assert browser.post("/login/", answers_of(alice, token)).status_code == 302

    second = browser.post(f"/login/?next={wanted}", answers_of(alice, token))

    assert (second.status_code, second["Location"]) == (302, place)


def test_a_form_of_before_the_log_out_comes_again_with_a_new_token(tabs: tuple[Client, str], alice: User) -> None:
    browser, token = tabs
    browser.post("/login/", answers_of(alice, token))
    browser.post("/logout/", {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value})

    again = browser.post("/login/?next=/o/acme/", answers_of(alice, token), follow=True)

    assert again.redirect_chain == [("/login/?next=/o/acme/", 302)]
    assert "This form was no longer valid. Log in again." in again.content.decode()
    new = answers_of(alice, browser.cookies["csrftoken"].value)
    assert browser.post("/login/?next=/o/acme/", new)["Location"] == "/o/acme/"


def test_who_sends_a_form_after_the_session_ended_comes_back_to_its_page(client: Client, acme: Organization) -> None:
    """What a form is sent to is often no page."""
    asking = {"Referer": "http://testserver/o/acme/notes/?a=b"}

    answer = client.post("/o/acme/notes/1/delete/", headers=asking)

    assert answer["Location"] == "/login/?next=/o/acme/notes/%3Fa%3Db"
    elsewhere = client.post("/o/acme/notes/", headers={"Referer": "https://elsewhere.example/o/"})
    assert elsewhere["Location"] == "/login/?next=/o/acme/notes/"


def test_a_form_of_another_site_is_refused(tabs: tuple[Client, str], alice: User) -> None:
    browser, token = tabs
    elsewhere = {"Origin": "https://elsewhere.example.com"}

    assert browser.post("/login/", answers_of(alice, token), headers=elsewhere).status_code == 403
    assert Client(enforce_csrf_checks=True).post("/login/", answers_of(alice, token)).status_code == 403


# ------------------------------------------------------------------ floods


@pytest.mark.parametrize(
    ("path", "hashes"),
    [
        ("/login/", True),
        ("/password/", True),
        ("/admin/login/", False),
        ("/admin/password_change/", False),
        ("/password/reset/", False),
        ("/api/v1/usage", False),
        ("/v1/traces", False),
    ],
)
def test_passwords_are_hashed_where_one_thread_works(
    hashed: list[str], alice: User, client: Client, path: str, hashes: bool
) -> None:
    if path == "/password/":
        client.force_login(alice)
    answers = {"login": alice.email, "username": alice.email, "email": alice.email, "old_password": "wrong horse"}
    passwords = {"password": "wrong horse", "oldpassword": "wrong horse", "password1": NEW, "password2": NEW}
    basic = {"Authorization": f"Basic {b64encode(b'alice@example.com:wrong horse').decode()}"}

    client.post(path, {**answers, **passwords}, headers=basic)

    assert bool(hashed) is hashes
    if hashes:
        assert allowance_of(resolve(path).func).lane is Lane.DOOR


# ------------------------------------------------------------------ passwords


def change(client: Client, old: str, new: str, again: str = "") -> HttpResponse:
    return client.post("/password/", {"oldpassword": old, "password1": new, "password2": again or new})


def test_a_new_password_ends_all_other_sessions(client: Client, alice: User) -> None:
    elsewhere = Client()
    for each in (client, elsewhere):
        each.force_login(alice)
    before = client.cookies["sessionid"].value

    said = client.post(
        "/password/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}, follow=True
    ).content.decode()

    assert "Your password is changed. Everywhere else you are logged out." in said
    assert client.get(URL).status_code == 200
    assert elsewhere.get(URL).status_code == 302
    assert client.cookies["sessionid"].value != before
    alice.refresh_from_db()
    assert alice.check_password(NEW)


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("elevenchars", "", TOO_SHORT),
        ("602214076299", "", NUMERIC),
        ("qwerty123456", "", COMMON),
        ("alice@example.com", "", "too similar to the e-mail address"),
        (NEW, "battery stable", "You must type the same password each time."),
    ],
)
def test_a_password_that_is_too_easy_is_refused(client: Client, alice: User, new: str, again: str, said: str) -> None:
    client.force_login(alice)

    assert said in change(client, PASSWORD, new, again).content.decode()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_whoever_finds_an_open_session_cannot_guess_the_password(
    client: Client, alice: User, hashed: list[str]
) -> None:
    client.force_login(alice)

    answers = [change(client, f"wrong horse {number}", NEW) for number in range(11)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert "This is not your current password." in answers[0].content.decode()
    assert "Too many attempts" in answers[10].content.decode()
    assert len(hashed) == 10
    assert change(client, PASSWORD, NEW).status_code == 429


@pytest.mark.parametrize("password", ["elevenchars", "602214076299", "qwerty123456"])
def test_staff_give_no_easy_password_either(client: Client, staff: User, alice: User, password: str) -> None:
    client.force_login(staff)
    answers = {"usable_password": "true", "password1": password, "password2": password}

    made = client.post("/admin/aggregates/user/add/", {"email": "dana@example.com", **answers})
    changed = client.post(f"/admin/aggregates/user/{alice.pk}/password/", answers)

    assert [made.status_code, changed.status_code] == [200, 200]
    assert not User.objects.filter(email="dana@example.com").exists()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_where_no_mail_is_sent_the_page_says_whom_to_ask(client: Client, db: None) -> None:
    for page in (client.get("/password/reset/"), client.post("/password/reset/", {"email": "alice@example.com"})):
        assert "This site sends no mail. Ask whoever runs it" in page.content.decode()
        assert 'type="email"' not in page.content.decode()


# ------------------------------------------------------------------ sessions


def test_a_log_in_begins_another_session(log_in: LogIn, client: Client, alice: User) -> None:
    session = client.session
    session["somebody"] = "gave this away"
    session.save()
    before = session.session_key

    log_in(alice.email, PASSWORD, client=client)

    assert client.cookies["sessionid"].value != before
    assert not Session.objects.filter(session_key=before).exists()


def later(client: Client, **how_much: float) -> None:
    """Let time pass for a session: as if it had begun and been used that much earlier."""
    past, store = timedelta(**how_much), client.session
    for name in ("begun", "used"):
        store[name] -= past.total_seconds()
    row = Session.objects.filter(session_key=store.session_key)
    row.update(session_data=store.encode(store._session), expire_date=F("expire_date") - past)


def test_a_session_ends_when_it_is_not_used(log_in: LogIn, client: Client, alice: User) -> None:
    log_in(alice.email, PASSWORD, client=client)
    for _ in range(3):
        later(client, hours=71)
        assert client.get(URL).status_code == 200
    Session.objects.update(expire_date=F("expire_date") - timedelta(hours=73))
    assert client.get(URL).status_code == 302


def test_a_session_ends_some_time_after_the_log_in_however_it_is_used(
    log_in: LogIn, client: Client, alice: User
) -> None:
    log_in(alice.email, PASSWORD, client=client)
    assert int(client.cookies["sessionid"]["max-age"]) in {6 * 56 * 3600, 6 * 56 * 3600 - 1}
    for _ in range(5):
        later(client, hours=56)
        assert client.get(URL).status_code == 200
    later(client, hours=56)
    assert client.get(URL).status_code == 302


def test_a_session_of_the_version_before_goes_on_and_ends_as_others_do(client: Client, alice: User) -> None:
    client.force_login(alice)
    old = DatabaseSessions()
    old.update({name: value for name, value in client.session.items() if name not in ("begun", "used")})
    old.create()
    client.cookies["sessionid"] = old.session_key

    assert client.get(URL).status_code == 200
    assert Session.objects.get(pk=old.session_key).expire_date < timezone.now() + timedelta(hours=73)


@pytest.mark.django_db(transaction=True)
def test_pages_are_answered_where_the_use_of_a_session_cannot_be_noted(client: Client, alice: User) -> None:
    client.force_login(alice)
    later(client, hours=1)
    kept = Session.objects.values()
    before = list(kept)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        answer = client.get(URL)
        cursor.execute("SET default_transaction_read_only = off")

    assert answer.status_code == 200
    assert list(kept.all()) == before


def test_a_page_writes_no_session_as_a_rule(
    log_in: LogIn, client: Client, alice: User, django_assert_num_queries: Any
) -> None:
    log_in(alice.email, PASSWORD, client=client)
    client.get(URL)  # notes that she was there, as it does now and then
    with connection.execute_wrapper(refuse_writes):
        assert client.get(URL).status_code == 200


def refuse_writes(execute: Any, sql: str, *rest: Any) -> Any:
    assert not re.match(r"\s*(UPDATE|INSERT|DELETE)", sql), sql
    return execute(sql, *rest)


def test_sessions_that_ended_are_cleared_away_at_night(client: Client, alice: User, bob: User) -> None:
    elsewhere = Client()
    client.force_login(alice)
    elsewhere.force_login(bob)
    ended = Session.objects.filter(pk=elsewhere.session.session_key)
    ended.update(expire_date=F("expire_date") - timedelta(days=90))

    tasks.nightly()

    assert not ended.exists()
    assert client.get(URL).status_code == 200


def test_signing_up_is_nowhere(client: Client, db: None) -> None:
    for address in ("/signup/", "/accounts/signup/", "/login/code/", "/email/", "/reauthenticate/"):
        assert client.get(address).status_code == 404, address
    page = client.get(reverse("account_login")).content.decode()
    assert "sign up" not in page.lower()
