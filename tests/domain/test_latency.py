"""Buckets of latencies, and what is told from histograms of them."""

import random
from decimal import Decimal

from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import SQL

from aggregates.db.latency import BUCKET
from aggregates.db.sql import text
from aggregates.domain.latency import BOUNDS, LONGEST, WIDTH, Interval, Latency
from tests.latencies import bucket_of, latency_of

LATENCIES = st.lists(st.integers(0, LONGEST) | st.integers(0, 5000), min_size=1, max_size=60)


def histogram(latencies: list[int], output_tokens: int = 0) -> Latency:
    return Latency.of(latency_of(one, output_tokens) for one in latencies)


def test_each_bucket_is_as_wide_as_is_said_and_none_is_left_out() -> None:
    assert BOUNDS[0] == 0
    assert BOUNDS[-1] > LONGEST >= BOUNDS[-2]
    assert len(BOUNDS) < 2**15, "their numbers are kept in two bytes"
    for first, after in zip(BOUNDS, BOUNDS[1:], strict=False):
        interval = Interval(first, after - 1)
        assert interval.last >= interval.first
        off = (interval.seconds - Decimal(first) / 1000) * 100
        assert off <= WIDTH * Decimal(first) / 1000, "per cent of the shortest there is in it"


@given(LATENCIES, st.integers(1, 100))
def test_a_percentile_is_the_bucket_of_the_one_that_sorting_gives(latencies: list[int], percent: int) -> None:
    found = histogram(latencies).percentile(percent)
    rank = -(-len(latencies) * percent // 100)
    assert found is not None
    assert found.first <= sorted(latencies)[rank - 1] <= found.last


@given(LATENCIES, LATENCIES)
def test_histograms_of_parts_add_up_to_that_of_the_whole(some: list[int], others: list[int]) -> None:
    assert Latency.of([histogram(some, 3), histogram(others, 3)]) == histogram([*some, *others], 3)


def test_nothing_has_no_percentile_and_no_throughput() -> None:
    assert Latency().percentile(50) is None
    assert Latency().tokens_per_second is None
    assert histogram([0, 0], 5).tokens_per_second is None
    assert histogram([100, 200], 0).tokens_per_second is None


def test_throughput_weighs_calls_by_how_long_they_took() -> None:
    assert Latency.of([histogram([1000], 10), histogram([3000], 110)]).tokens_per_second == 30


def test_the_database_puts_every_latency_into_the_same_bucket(db: None) -> None:
    chance = random.Random(3)
    asked = [bound + off for bound in BOUNDS[:-1] for off in (-1, 0, 1) if bound + off >= 0]
    asked += [int(LONGEST ** chance.random()) for _ in range(1000)]
    statement = SQL("SELECT {} FROM unnest(%s::bigint[]) WITH ORDINALITY AS call (latency_ms, nth) ORDER BY nth")
    with connection.cursor() as cursor:
        cursor.execute(text(statement.format(BUCKET)), [asked])
        assert [number for (number,) in cursor.fetchall()] == list(map(bucket_of, asked))
