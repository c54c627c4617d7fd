"""Limits of log-ins hold over all processes that serve the site."""

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from urllib.parse import urlencode

import pytest
from django.db import connection

from aggregates.models import User
from tests.patience import PATIENCE
from tests.serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
TOKEN = "a" * 32


def log_in(port: int, email: str, password: str) -> int:
    body = urlencode({"login": email, "password": password, "csrfmiddlewaretoken": TOKEN})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={TOKEN}"}
    browser = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        browser.request("POST", "/login/", body, headers)
        return browser.getresponse().status
    finally:
        browser.close()


def guess(port: int) -> list[int]:
    return [log_in(port, "alice@example.com", "wrong horse") for _ in range(10)]


def test_two_servers_together_let_ten_wrong_passwords_through(alice: User) -> None:
    database = str(connection.settings_dict["NAME"])
    environment = {"DJANGO_SETTINGS_MODULE": "tests.process_settings", "TEST_DATABASE": database}
    environment["WEB_CONCURRENCY"] = "1"  # two processes serve the site then
    with serving(**environment) as one, serving(**environment) as other, ThreadPoolExecutor(4) as threads:
        # No more at a server at once than its process has turns for.
        answers = [*threads.map(guess, [one, one, other, other])]
        right = log_in(other, "alice@example.com", "correct horse")

    assert Counter(chain.from_iterable(answers)) == {200: 10, 429: 30}
    assert right == 429
