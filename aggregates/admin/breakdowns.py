"""Daily breakdowns: one grain at a time."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from aggregates.admin.calls import BY_ORGANIZATION
from aggregates.admin.readonly import LargeTableAdmin
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


@admin.register(DailyBreakdown)
class DailyBreakdownAdmin(LargeTableAdmin):
    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        grain = chosen_grain(request.GET.get(GrainFilter.parameter_name))
        sums = (measure.column for measure in MEASURES if measure.name != "cache_hit_rates")
        return ("date", "organization", *grain.columns, *sums)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By an index either way: one begins with organization, grain and date, the other is the primary key."""
        return ("-date",) if BY_ORGANIZATION in request.GET else ("-id",)

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        chosen = BY_ORGANIZATION in request.GET
        return ("organization", GrainFilter, "date") if chosen else ("organization", GrainFilter)
