"""What readers of one snapshot have in common."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aggregates.db.limits import TimedOut
from aggregates.db.snapshot import kept_in_snapshot, snapshot
from aggregates.models import Organization
from aggregates.query.day_states import read_day_states
from tests.fixtures import make_organization

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)


def limit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        return str(cursor.fetchone()[0])


def test_a_snapshot_within_one_is_of_the_same_moment_and_asks_nothing() -> None:
    with snapshot(5) as outer, CaptureQueriesContext(connection) as queries, snapshot(5) as inner:
        assert inner == outer
    assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "RELEASE"]
    with snapshot() as later:
        assert later > outer


def test_what_is_known_of_days_is_read_once_and_no_longer_kept_than_the_snapshot() -> None:
    acme, other = make_organization("acme"), make_organization("other", "Europe/Berlin")
    with snapshot() as now:
        _, found = read_day_states(acme, FIRST, LAST, now)
        with snapshot(), CaptureQueriesContext(connection) as queries:
            assert read_day_states(acme, date(2025, 3, 1), LAST, now)[1] is found
        assert not queries
        assert read_day_states(other, FIRST, LAST, now)[0] == "Europe/Berlin"
        with CaptureQueriesContext(connection) as queries:
            read_day_states(acme, date(2024, 12, 31), LAST, now)
        assert queries
    kept_in_snapshot("of none").append(1)
    assert kept_in_snapshot("of none") == []
    Organization.objects.filter(pk=acme.pk).update(time_zone="Asia/Tokyo")
    with snapshot() as now:
        assert read_day_states(acme, FIRST, LAST, now)[0] == "Asia/Tokyo"


def test_where_one_within_takes_too_long_the_one_around_it_goes_on_with_its_own_limit() -> None:
    with snapshot(5):
        with pytest.raises(TimedOut), snapshot(0.05), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(2)")
        assert limit() == "5s"
        with snapshot(1):
            assert limit() == "1s"
        with snapshot(5):
            assert limit() == "5s"
