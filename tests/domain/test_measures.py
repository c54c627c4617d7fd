"""Sums and the rates derived from them."""

from decimal import Decimal

import pytest

from aggregates.domain.latency import Latency
from aggregates.domain.measures import MEASURES, Sums, rate
from aggregates.models import BreakdownChunk, DailyAggregate, DailyBreakdown, PeriodBreakdown


def test_every_measure_has_its_field_in_the_sums_and_its_column_in_all_aggregates() -> None:
    assert [*(measure.name for measure in MEASURES), "latency"] == list(Sums._fields)
    for model in (DailyAggregate, BreakdownChunk, DailyBreakdown, PeriodBreakdown):
        columns = [field.name for field in model._meta.get_fields() if field.name.startswith("total_")]
        assert columns == [measure.column for measure in MEASURES]


def test_latencies_add_up_and_are_not_known_where_those_of_a_part_are_not() -> None:
    some, others = Latency(((3, 1),), 5, 7), Latency(((3, 2), (4, 1)), 1, 1)
    known = Sums(calls=1, latency=some) + Sums(calls=3, latency=others)
    assert known.latency == Latency(((3, 3), (4, 1)), 6, 8)
    assert (known + Sums()).latency == known.latency, "of nothing there is nothing to know"
    assert (known + Sums(calls=1)).latency is None


def test_sums_add_up_without_rounding() -> None:
    huge = Sums(calls=1, cost=Decimal("98765432109876543210.000000000001"))
    assert (huge + huge).cost == Decimal("197530864219753086420.000000000002")
    assert (huge + Sums(calls=2, errors=1)).calls == 3


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [(0, 0, "0E-8"), (5, 0, "0E-8"), (1, 3, "0.33333333"), (2, 3, "0.66666667"), (1, 1, "1.00000000")],
)
def test_a_rate_has_eight_decimals_and_is_zero_of_nothing(part: int, whole: int, share: str) -> None:
    assert rate(part, whole) == Decimal(share)
    assert str(rate(part, whole)) == share


def test_a_rate_rounds_half_to_even() -> None:
    assert rate(1, 200_000_000) == Decimal("0E-8")
    assert rate(3, 200_000_000) == Decimal("0.00000002")


def test_the_two_cache_rates_weigh_by_tokens_and_by_calls() -> None:
    small = Sums(calls=1, input_tokens=100, cached_tokens=100, cache_hit_rates=Decimal(1))
    large = Sums(calls=1, input_tokens=900, cached_tokens=0, cache_hit_rates=Decimal(0))
    assert (small + large).cache_hit_rate == Decimal("0.1")
    assert (small + large).avg_cache_hit_rate == Decimal("0.5")
