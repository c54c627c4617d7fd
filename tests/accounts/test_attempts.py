"""Attempts are counted exactly, by address and by account and address; an account alone is only slowed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from aggregates.accounts import attempts
from aggregates.accounts.attempts import TooManyAttempts, admit, give_back
from aggregates.models import AttemptCount

ALICE = "alice@example.com"
HERE, THERE = "203.0.113.7", "198.51.100.3"


def refused(account: str, address: str) -> int:
    """The seconds to wait, or 0 where the attempt is admitted."""
    try:
        admit(account, address)
    except TooManyAttempts as error:
        return error.seconds
    return 0


def let_pass(seconds: int) -> None:
    AttemptCount.objects.update(until=F("until") - timedelta(seconds=seconds))


def test_an_account_can_be_tried_ten_times_from_an_address(db):
    assert [refused(ALICE, HERE) for _ in range(10)] == [0] * 10
    assert 590 < refused(ALICE, HERE) <= 600
    assert 590 < refused(" ALICE@example.com ", HERE) <= 600
    assert not refused("bob@example.com", HERE)
    assert not refused(ALICE, THERE)

    let_pass(600)
    assert not refused(ALICE, HERE)


def test_an_address_can_try_thirty_times_whatever_the_account(db):
    assert [refused(f"user-{number}@example.com", HERE) for number in range(30)] == [0] * 30
    assert 590 < refused("somebody@example.com", HERE) <= 600
    assert not refused("somebody@example.com", THERE)


def test_strangers_slow_an_account_and_do_not_close_it(db):
    for number in range(200):
        refused(ALICE, f"198.51.100.{number}")

    assert not refused(ALICE, HERE)  # she has her own first attempt
    assert 0 < refused(ALICE, HERE) <= 30
    let_pass(30)
    assert not refused(ALICE, HERE)
    assert not refused("bob@example.com", HERE)


def test_an_ipv6_network_is_one_address(db):
    assert [refused(ALICE, f"2001:db8::{number:x}") for number in range(10)] == [0] * 10
    assert refused(ALICE, "2001:db8::abcd")
    assert not refused(ALICE, "2001:db8:0:1::1")


def test_an_attempt_that_is_given_back_never_was(db):
    for _ in range(50):
        give_back(admit(ALICE, HERE))
    assert set(AttemptCount.objects.values_list("number", flat=True)) == {0}


def test_the_table_names_nobody_and_what_is_over_is_deleted(db):
    refused(ALICE, HERE)
    kept = " ".join(AttemptCount.objects.values_list("key", flat=True))
    assert len(kept.split()) == 3
    assert not {"alice", HERE} & set(kept.split())

    attempts.forget()
    assert AttemptCount.objects.count() == 3
    let_pass(601)
    attempts.forget()
    assert not AttemptCount.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_comes_at_the_same_time_is_counted_one_by_one():
    def one(number: int) -> bool:
        try:
            return not refused(ALICE, HERE)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as threads:
        admitted = list(threads.map(one, range(36)))

    assert admitted.count(True) == 10
    assert set(AttemptCount.objects.values_list("number", flat=True)) == {36, 16}  # of the last 16 each was slowed


def test_the_log_says_it_once(db, caplog: pytest.LogCaptureFixture):
    for _ in range(15):
        refused(ALICE, HERE)
    (line,) = caplog.messages
    assert line == "Too many attempts at an account from an address: account ali..., address 203.0.113.7"


def test_what_is_said_is_how_long_to_wait():
    words: Callable[[int], str] = lambda seconds: str(TooManyAttempts(seconds))  # noqa: E731
    assert words(0) == "Too many attempts: try again in 1 second."
    assert words(30) == "Too many attempts: try again in 30 seconds."
    assert words(541) == "Too many attempts: try again in 10 minutes."
