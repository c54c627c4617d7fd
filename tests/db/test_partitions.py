"""The log's monthly partitions."""

from datetime import UTC, date, datetime
from threading import Thread

import pytest
from django.db import IntegrityError, connection

from aggregates.db.partitions import ensure_partitions, existing_months, months
from aggregates.models import Organization

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
