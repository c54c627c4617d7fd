"""The log's monthly partitions."""

from datetime import UTC, date, datetime
from threading import Thread

import pytest
from django.db import IntegrityError, connection

from aggregates.db.partitions import (
    ensure_partitions,
    existing_months,
    foreign_partitions,
    missing_months_ahead,
    months,
)
from aggregates.models import Organization
from aggregates.ops.checks.database import partitions

INSERT = """
    INSERT INTO aggregates_usagelog (organization_id, timestamp, request_id, operation, provider, model, user_id,
        subject_id, project, status, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
        cost_source, cache_hit_rate)
    VALUES (%s, %s, %s, '', '', 'm', '', '', '', 'ok', 0, 0, 0, 0, 0, 'none', 0)
"""


def test_months_cross_the_year() -> None:
    assert list(months(date(2024, 11, 30), date(2025, 2, 1))) == [
        date(2024, 11, 1),
        date(2024, 12, 1),
        date(2025, 1, 1),
        date(2025, 2, 1),
    ]


def test_missing_months_are_made_once(acme: Organization) -> None:
    december, january = date(2001, 12, 31), date(2002, 1, 1)
    assert ensure_partitions([december, january, january]) == [
        "aggregates_usagelog_2001_12",
        "aggregates_usagelog_2002_01",
    ]
    assert ensure_partitions([december, january]) == []
    with connection.cursor() as cursor:
        for number, instant in enumerate(["2001-12-01T00:00", "2001-12-31T23:59:59.999999", "2002-01-31T23:59"]):
            cursor.execute(INSERT, [acme.pk, datetime.fromisoformat(instant).replace(tzinfo=UTC), f"r{number}"])
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM aggregates_usagelog GROUP BY 1 ORDER BY 1")
        assert cursor.fetchall() == [("aggregates_usagelog_2001_12", 2), ("aggregates_usagelog_2002_01", 1)]


def test_a_partition_holds_a_request_id_once(acme: Organization) -> None:
    ensure_partitions([date(2002, 3, 1)])
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [acme.pk, datetime(2002, 3, 1, tzinfo=UTC), "r"])
        with pytest.raises(IntegrityError, match="aggregates_usagelog_2002_03_once"):
            cursor.execute(INSERT, [acme.pk, datetime(2002, 3, 2, tzinfo=UTC), "r"])


@pytest.mark.django_db(transaction=True)
def test_two_who_need_the_same_month_at_once_both_get_it() -> None:
    made: list[list[str]] = []

    def make() -> None:
        made.append(ensure_partitions(months(date(2003, 1, 1), date(2003, 12, 1))))
        connection.close()

    there = {month for month in existing_months() if month.year == 2003}  # other tests leave theirs behind
    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, made)) == [0, 0, 0, 12 - len(there)]


@pytest.fixture
def no_months(db: None) -> None:
    """Of those about 2004 that another test may have left."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS aggregates_usagelog_2003_12, aggregates_usagelog_2005_01")


def attach(name: str, bounds: str) -> None:
    """As an administrator does."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} PARTITION OF aggregates_usagelog {bounds}")


def test_partitions_of_an_administrator_are_left_out_and_named(no_months: None, acme: Organization) -> None:
    ours = existing_months()
    attach("aggregates_usagelog_default", "DEFAULT")
    attach("y2004", "FOR VALUES FROM ('2004-01-01 00:00Z') TO ('2005-01-01 00:00Z')")
    attach("aggregates_usagelog_2005_01", "FOR VALUES FROM ('2005-01-01 00:00Z') TO ('2005-01-20 00:00Z')")
    attach("old", "FOR VALUES FROM (MINVALUE) TO ('1999-01-01 00:00Z')")

    assert existing_months() == ours
    assert foreign_partitions() == ["aggregates_usagelog_2005_01", "aggregates_usagelog_default", "old", "y2004"]
    warnings = [each.msg for each in partitions(databases=["default"])]
    assert warnings == [f"The log has partitions that this site did not make: {', '.join(foreign_partitions())}."]


def test_a_month_that_an_administrators_partition_covers_is_not_missing(no_months: None, acme: Organization) -> None:
    attach("aggregates_usagelog_default", "DEFAULT")
    attach("y2004", "FOR VALUES FROM ('2004-01-01 00:00Z') TO ('2005-01-01 00:00Z')")

    assert ensure_partitions(months(date(2003, 12, 1), date(2005, 1, 1))) == [
        "aggregates_usagelog_2003_12",
        "aggregates_usagelog_2005_01",
    ]
    assert missing_months_ahead(datetime(2004, 5, 5, tzinfo=UTC)) == []
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [acme.pk, datetime(2004, 5, 5, tzinfo=UTC), "r"])


def test_without_others_there_is_nothing_to_say(acme: Organization) -> None:
    assert foreign_partitions() == []
    assert partitions(databases=["default"]) == []
