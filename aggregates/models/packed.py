"""Rows that hold many groups side by side: an array for each dimension and measure, in which a group has one place."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.lookups import Exact, GreaterThan


def texts() -> "ArrayField[Any, Any]":
    """Make the array of a dimension; NULL where all of it is ''."""
    return ArrayField(models.TextField(), null=True)


def counts() -> "ArrayField[Any, Any]":
    """Make the array of a measure that counts; NULL where all of it is 0."""
    return ArrayField(models.BigIntegerField(), null=True)


def decimals(max_digits: int, decimal_places: int) -> "ArrayField[Any, Any]":
    """Make the array of a measure that is a decimal; NULL where all of it is 0."""
    return ArrayField(models.DecimalField(max_digits=max_digits, decimal_places=decimal_places), null=True)


def cardinality(column: str) -> models.Func:
    return models.Func(models.F(column), function="cardinality", output_field=models.IntegerField())


def are_even(arrays: Iterable[str]) -> models.Q:
    """Say that all arrays are as long as that of calls, and not empty. Those that are NULL pass: a CHECK lets pass all
    that is not false."""
    calls = "total_calls"
    return models.Q(
        GreaterThan(cardinality(calls), 0),
        *(Exact(cardinality(name), cardinality(calls)) for name in arrays if name != calls),
    )


class PackedTotals(models.Model):
    """The sums of all measures, as in Totals, of groups side by side."""

    total_calls = ArrayField(models.BigIntegerField())
    total_errors = counts()
    total_unpriced_calls = counts()
    total_cost = decimals(max_digits=36, decimal_places=12)
    total_input_tokens = counts()
    total_cached_tokens = counts()
    total_cache_write_tokens = counts()
    total_output_tokens = counts()
    total_reasoning_tokens = counts()
    total_cache_hit_rate = decimals(max_digits=28, decimal_places=8)
    total_charges = counts()
    total_charge_cost = decimals(max_digits=36, decimal_places=12)

    class Meta:
        abstract = True
