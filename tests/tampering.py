"""Changing breakdowns behind the site's back, as it never does: they are packed, and their rows are views."""

from collections import defaultdict
from typing import Any

from django.db.models import QuerySet

from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.measures import MEASURES
from aggregates.models import BreakdownChunk

EMPTY = {
    **{dimension.column: "" for dimension in DIMENSIONS},
    **{measure.column: 0 for measure in MEASURES},
}


def change_breakdowns(rows: "QuerySet[Any]", **values: Any) -> None:
    """Set columns of these rows of DailyBreakdown or PeriodBreakdown."""
    for chunk, places in _chunks(rows):
        for column, value in values.items():
            array = getattr(chunk, column) or [EMPTY[column]] * len(chunk.total_calls)
            setattr(chunk, column, [value if place in places else old for place, old in enumerate(array)])
        chunk.save()


def delete_breakdowns(rows: "QuerySet[Any]") -> None:
    """Delete these rows of DailyBreakdown or PeriodBreakdown."""
    for chunk, places in _chunks(rows):
        if len(places) == len(chunk.total_calls):
            BreakdownChunk.objects.filter(pk=chunk.pk).delete()
            continue
        for column in EMPTY:
            if array := getattr(chunk, column):
                setattr(chunk, column, [old for place, old in enumerate(array) if place not in places])
        chunk.save()


def _chunks(rows: "QuerySet[Any]") -> list[tuple[BreakdownChunk, set[int]]]:
    places: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for row in rows:
        unit, first = (row.unit, row.first) if hasattr(row, "unit") else ("day", row.date)
        places[row.organization_id, row.grain, unit, first, row.part].add(int(row.pk.rpartition("/")[2]) - 1)
    return [(BreakdownChunk.objects.get(pk=pk), of_chunk) for pk, of_chunk in places.items()]
