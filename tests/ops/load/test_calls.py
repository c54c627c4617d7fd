"""The calls of a load are valid, skewed, and the same every time."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from aggregates.domain.calls import Call, parse_call
from aggregates.ops.load.amounts import Load
from aggregates.ops.load.calls import CHUNK, Tenant, calls_of

NOW = datetime(2025, 6, 18, 15, 30, tzinfo=UTC)
DAY = date(2025, 6, 17)


def told(number: int, day: date = DAY, rank: int = 0, **rest: Any) -> list[Call]:
    load = Load(number, DAY, NOW.date(), NOW, **rest)
    return [call for chunk in calls_of(Tenant(rank, load), day, number) for call in chunk]


@pytest.mark.parametrize("rank", range(3))
def test_every_call_is_one_that_the_log_takes(rank):
    for call in told(2000, rank=rank):
        assert parse_call(call._asdict()) == call


@pytest.mark.parametrize("number", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_there_are_as_many_as_asked_for_each_with_an_id_of_its_own(number):
    assert len({call.request_id for call in told(number)}) == number


def test_they_are_the_same_every_time_and_others_with_another_seed():
    assert told(500) == told(500)
    assert not {call.request_id for call in told(500)} & {call.request_id for call in told(500, seed=2)}
    assert [call.user_id for call in told(500)] != [call.user_id for call in told(500, seed=2)]


def test_they_lie_within_their_day_and_today_before_now():
    midnight = datetime(2025, 6, 17, tzinfo=UTC)
    assert all(timedelta(0) <= call.timestamp - midnight < timedelta(days=1) for call in told(5000))
    today = [call.timestamp for call in told(5000, NOW.date())]
    assert datetime(2025, 6, 18, tzinfo=UTC) <= min(today) < max(today) < NOW
    in_tokyo = [call.timestamp for call in told(5000, NOW.date(), zone="Asia/Tokyo")]
    assert (
        datetime(2025, 6, 17, 15, tzinfo=UTC) <= min(in_tokyo) < max(in_tokyo) < datetime(2025, 6, 18, 15, tzinfo=UTC)
    )


def test_a_few_users_and_subjects_have_most_of_the_calls():
    calls = told(40_000, users=200, subjects=5000)
    users = Counter(call.user_id for call in calls)
    subjects = Counter(call.subject_id for call in calls)
    assert 150 < len(users) <= 200
    assert sum(number for _, number in users.most_common(20)) > 0.4 * len(calls)
    assert 1000 < len(subjects) <= 5000
    assert sum(number for _, number in subjects.most_common(500)) > 0.4 * len(calls)
    # Several calls of one user are about one subject.
    assert len({(call.user_id, call.subject_id) for call in calls}) < len(calls) / 3


@pytest.mark.parametrize("rank", range(3))
def test_every_dimension_has_several_values(rank):
    calls = told(20_000, rank=rank)
    for field, least in {"operation": 3, "provider": 2, "model": 4, "project": 2, "status": 2}.items():
        assert len({getattr(call, field) for call in calls}) >= least, field


def test_one_user_and_one_subject_are_enough():
    assert {(call.user_id, call.subject_id) for call in told(50, users=1, subjects=1)} == {("alice", "player-000001")}
