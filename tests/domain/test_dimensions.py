"""Dimensions and grains."""

from itertools import combinations

import pytest

from aggregates.domain.dimensions import BY_NAME, DIMENSIONS, GRAINS, grain_for
from aggregates.models import DailyBreakdown, UsageLog
from aggregates.rollup.day_sums import DIMENSION_COLUMNS


def test_every_dimension_is_a_column_of_the_log_and_of_the_breakdowns() -> None:
    for model in (UsageLog, DailyBreakdown):
        assert set(DIMENSION_COLUMNS) <= {field.name for field in model._meta.get_fields()}
    (once,) = [found for found in DailyBreakdown._meta.constraints if found.name == "daily_breakdown_once"]
    assert once.fields == ("organization", "grain", "date", *DIMENSION_COLUMNS)  # type: ignore[attr-defined]


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
    for dimension in DIMENSIONS:
        assert grain_for([dimension.name]).dimensions == (dimension.name,)  # type: ignore[union-attr]
    assert grain_for(["model", "operation"]).name == "operation+provider+model+project"  # type: ignore[union-attr]
    assert grain_for(["user", "subject", "model"]) is None
