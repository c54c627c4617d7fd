"""Daily breakdowns: one grain at a time."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from aggregates.admin.calls import BY_ORGANIZATION
from aggregates.admin.readonly import LargeTableAdmin, UncountedList
from aggregates.domain.dimensions import GRAINS, Grain
from aggregates.domain.measures import MEASURES
from aggregates.models import DailyBreakdown


def chosen_grain(name: str | None) -> Grain:
    return next((grain for grain in GRAINS if grain.name == name), GRAINS[0])


class GrainFilter(admin.SimpleListFilter):
    """Always one grain: rows of different ones are not to be added up, and the index goes by it."""

    title = "grain"
    parameter_name = "grain"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(grain.name, grain.name) for grain in GRAINS]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for name, display in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: name})
            yield {"selected": chosen_grain(self.value()).name == name, "query_string": query, "display": display}

    def queryset(self, request: HttpRequest, queryset: QuerySet[DailyBreakdown]) -> QuerySet[DailyBreakdown]:
        return queryset.filter(grain=chosen_grain(self.value()).name)


class DatedList(UncountedList):
    """By date alone: a primary key, which Django would order by as well, the view of chunks has only by name."""

    def _get_deterministic_ordering(self, ordering: list[Any]) -> list[Any]:
        return ordering


@admin.register(DailyBreakdown)
class DailyBreakdownAdmin(LargeTableAdmin):
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DatedList

    def columns(self, request: HttpRequest) -> tuple[str, ...]:
        grain = chosen_grain(request.GET.get(GrainFilter.parameter_name))
        sums = (measure.column for measure in MEASURES if measure.name != "cache_hit_rates")
        return ("date", "organization", *grain.columns, *sums)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By an index either way: one begins with organization, grain and date, the other with the date."""
        return ("-date",)

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        chosen = BY_ORGANIZATION in request.GET
        return ("organization", GrainFilter, "date") if chosen else ("organization", GrainFilter)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DailyBreakdown | None:
        """Find a row by its id, in the one chunk that the id names."""
        try:
            organization, grain, day, part, _ = object_id.split("/")
            of_chunk = self.get_queryset(request).filter(
                organization=int(organization), grain=grain, date=date.fromisoformat(day), part=int(part)
            )
        except ValueError:
            return None
        return of_chunk.filter(pk=object_id).first()
