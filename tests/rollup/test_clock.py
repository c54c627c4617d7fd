"""The database's clock jumps ahead and back: no call is lost, no figure wrong, and days are rolled up in time."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from django.db import connection

from aggregates.db import clock
from aggregates.domain.calls import Call
from aggregates.domain.days import DAY
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization, State, UsageDay, UsageLog
from aggregates.ops.tasks import nightly, repair
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from tests.faults.judge import judge
from tests.lot import share
from tests.proof.clock import fast_clock

pytestmark = pytest.mark.django_db(transaction=True)
AS_ALWAYS = 86_400.0  # seconds that a day has
QUESTIONS = [*product((Bucket.DAY, Bucket.WEEK, Bucket.MONTH, Bucket.TOTAL), ((), ("user",)))]
JUMPS = (timedelta(hours=1), timedelta(days=1), timedelta(days=40))


class Scene:
    """An organization that records about the true now, whatever the clock of the database says."""

    def __init__(self, organization: Organization, call: Callable[..., Call]) -> None:
        self.organization, self.call = organization, call
        self.now = clock.now().replace(hour=12)  # so that an hour more or less is the same day
        self.recorded = self.checks = 0

    def record(self, *instants: datetime) -> None:
        one = self.call("2025-03-01T12:00Z", cost="0.1", user_id="alice")  # the door looks at another clock
        calls = [one._replace(timestamp=instant) for instant in instants]
        self.recorded += record(self.organization, calls).new

    def check(self) -> None:
        """Every figure is that of the log, which has all that was recorded."""
        today: date = self.now.date()
        assert UsageLog.objects.count() == self.recorded
        self.checks += 1
        for bucket, by in share(QUESTIONS, self.checks, 4):
            auto, log = (
                UsageQuery.for_dates(
                    self.organization, today - 60 * DAY, today + 60 * DAY, bucket=bucket, by=by, source=source
                )
                for source in (Source.AUTO, Source.LOG)
            )
            answers = read([auto, log])
            assert answers[auto].rows == answers[log].rows
            assert sum(row.sums.calls for row in answers[log].rows) == self.recorded


@pytest.fixture
def scene(acme: Organization, call: Callable[..., Call]) -> Scene:
    made = Scene(acme, call)
    made.record(made.now - DAY, made.now, made.now + DAY)
    return made


def assert_all_is_rolled_up_in_time(scene: Scene) -> None:
    """Once the days are over, by a clock that is right, the night makes all of them clean."""
    with fast_clock(scene.now + 90 * DAY, AS_ALWAYS):
        nightly()
        scene.check()
        assert judge() == []
        assert {day.state for day in UsageDay.objects.with_state()} == {State.CLEAN}
        assert sum(DailyAggregate.objects.values_list("total_calls", flat=True)) == scene.recorded


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("task", [nightly, repair])
def test_it_jumps_ahead_and_back(scene: Scene, task: Callable[[], str], jump: timedelta) -> None:
    with fast_clock(clock.now() + jump, AS_ALWAYS):
        task()
        scene.record(scene.now + timedelta(minutes=1))
        scene.check()
        task()
        scene.check()

    scene.record(scene.now - timedelta(minutes=5), scene.now + timedelta(minutes=5), scene.now + 2 * DAY)
    scene.check()
    for _ in range(2):
        task()
        scene.check()
        scene.record(scene.now + timedelta(minutes=scene.recorded))
        scene.check()
    assert_all_is_rolled_up_in_time(scene)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("task", [nightly, repair])
def test_it_jumps_back_and_ahead(scene: Scene, task: Callable[[], str], jump: timedelta) -> None:
    task()
    with fast_clock(clock.now() - jump, AS_ALWAYS):
        scene.record(scene.now + timedelta(minutes=1), scene.now - DAY)
        scene.check()
        task()
        scene.check()

    task()
    scene.check()
    assert_all_is_rolled_up_in_time(scene)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_month_that_was_made_by_a_clock_that_was_ahead_loses_no_day(scene: Scene, jump: timedelta) -> None:
    """Its days are rolled up before it was made, as it seems, and are not taken for some that lost their calls."""
    long_ago = datetime(2021, 5, 6, 12, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS aggregates_usagelog_2021_05")
    with fast_clock(clock.now() + jump, AS_ALWAYS):
        scene.record(long_ago)

    nightly()

    assert not UsageDay.objects.kept().exists()
    scene.record(long_ago + timedelta(minutes=1))  # late
    nightly()
    assert DailyAggregate.objects.get(date=long_ago.date()).total_calls == 2
    assert not UsageDay.objects.lost().exists()


def test_two_roll_ups_of_a_day_are_told_apart_while_its_month_was_born_ahead_of_the_clock(scene: Scene) -> None:
    """Who chose the day to be kept before the second one must not keep it after."""
    long_ago = datetime(2021, 5, 6, 12, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS aggregates_usagelog_2021_05")
    with fast_clock(clock.now() + DAY, AS_ALWAYS):
        scene.record(long_ago)

    moments = []
    for _ in range(3):
        roll_up(dates=[long_ago.date()], force=True)
        moments.append(UsageDay.objects.get(date=long_ago.date()).rolled_at)

    assert clock.now() < moments[0] < moments[1] < moments[2]


def test_a_day_of_the_future_that_was_sealed_takes_calls_as_any_other(scene: Scene) -> None:
    tomorrow = (scene.now + DAY).date()
    with fast_clock(clock.now() + 40 * DAY, AS_ALWAYS):
        nightly()
    sealed = UsageDay.objects.get(date=tomorrow)
    assert sealed.sealed_through == sealed.ends_at

    scene.record(scene.now + DAY + timedelta(minutes=1))
    repair()

    assert DailyAggregate.objects.get(date=tomorrow).total_calls == 2
    scene.check()
