"""Dimensions and grains."""

from itertools import combinations

import pytest

from aggregates.domain.dimensions import BY_NAME, GRAINS, grain_for
from aggregates.models import BreakdownChunk, DailyBreakdown, PeriodBreakdown, UsageLog
from aggregates.rollup.day_sums import DIMENSION_COLUMNS


def test_every_dimension_is_a_column_of_the_log_and_of_the_breakdowns() -> None:
    for model in (UsageLog, BreakdownChunk, DailyBreakdown, PeriodBreakdown):
        assert set(DIMENSION_COLUMNS) <= {field.name for field in model._meta.get_fields()}


def test_grains_list_their_dimensions_in_one_order() -> None:
    order = list(BY_NAME)
    for grain in GRAINS:
        assert list(grain.dimensions) == sorted(grain.dimensions, key=order.index)


@pytest.mark.parametrize("names", [*combinations(BY_NAME, 1), *combinations(BY_NAME, 2)])
def test_one_filter_with_one_group_by_is_always_held(names: tuple[str, ...]) -> None:
    grain = grain_for(names)
    assert grain and set(names) <= set(grain.dimensions)


def test_a_query_takes_the_coarsest_grain_that_holds_it() -> None:
    assert grain_for([]).dimensions == ()  # type: ignore[union-attr]
    for name in ("user", "subject"):
        assert grain_for([name]).dimensions == (name,)  # type: ignore[union-attr]
    for name in ("operation", "provider", "model", "project", "tier", "key"):
        assert grain_for([name]).name == "operation+provider+model+project+tier+key"  # type: ignore[union-attr]
    assert grain_for(["user", "subject"]).name == "user+subject"  # type: ignore[union-attr]
    assert grain_for(["model", "tier"]).name == "operation+provider+model+project+tier+key"  # type: ignore[union-attr]
    assert grain_for(["user", "subject", "model"]) is None
