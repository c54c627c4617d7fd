"""Daily aggregates and the state of each day, with roll-ups and comparisons by hand."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse

from aggregates.admin.readonly import ReadOnlyAdmin
from aggregates.db.kept_days import accept
from aggregates.db.limits import lift_limits
from aggregates.domain.formats import plural
from aggregates.domain.measures import MEASURES, Sums
from aggregates.models import DailyAggregate, Job, StaleDay, State, UsageDay
from aggregates.rollup import day_sums, protocol, runs

MOST_DAYS = 400  # in one request
MOST_LINES = 20
Days = QuerySet[Any]  # of a model with organization, date, rolled_at and state


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.value) for state in State]

    def queryset(self, request: HttpRequest, queryset: Days) -> Days:
        return queryset.filter(state=self.value()) if self.value() else queryset


class DayAdmin(ReadOnlyAdmin):
    """What both lists of days can do: show the state, roll up again, compare with the log."""

    actions: tuple[str, ...] = ("roll_up_again", "compare_with_log")
    date_hierarchy = "date"
    list_filter = ("organization", StateFilter)
    list_select_related = ("organization",)
    show_facets = admin.ShowFacets.NEVER
    site_page = "dashboard"

    def site_address(self, row: Any) -> str:
        return f"{super().site_address(row)}?range=custom&from={row.date}&to={row.date}"

    def has_roll_up_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("aggregates.change_dailyaggregate")

    @admin.display(description="state", ordering="state")
    def state(self, day: Any) -> str:
        return str(day.state)

    @admin.display(description="rolled up at", ordering="rolled_at")
    def rolled_up_at(self, day: Any) -> datetime | None:
        rolled_at: datetime | None = day.rolled_at
        return rolled_at

    @admin.action(description="Roll up again", permissions=["roll_up"])
    def roll_up_again(self, request: HttpRequest, queryset: Days) -> None:
        chosen = self.chosen(request, queryset)
        lift_limits()  # a day may be of millions of calls
        with runs.record_run(Job.ADMIN) as run:
            done = [protocol.roll_up(only=ids, dates={day}, force=True) for day, ids in sorted(chosen.items())]
            for summary in done:
                runs.add_counts(run, summary)
        rolled, rows = run.days, run.rows
        if rolled:
            messages.success(request, f"Rolled up {plural(rolled, 'day')}, {plural(rows, 'row')} written.")
        if busy := [day for summary in done for day in summary.busy]:
            listed = ", ".join(map(str, busy))
            messages.warning(request, f"Not rolled up, because calls of these days are being recorded: {listed}.")
        elif left := sum(map(len, chosen.values())) - rolled:
            messages.warning(request, f"Left out {plural(left, 'day')}: not over yet, or kept.")

    @admin.action(description="Compare with the log", permissions=["view"])
    def compare_with_log(self, request: HttpRequest, queryset: Days) -> None:
        chosen = self.chosen(request, queryset)
        lift_limits()  # a day may be of millions of calls
        clean = sum(
            UsageDay.objects.comparable().filter(organization__in=ids, date=day).count() for day, ids in chosen.items()
        )
        found = [mismatch for day, ids in sorted(chosen.items()) for mismatch in day_sums.verify(day, ids)]
        if found:
            report(request, found)
        elif clean:
            messages.success(request, f"Compared {plural(clean, 'day')} with the log: equal.")
        if left := sum(map(len, chosen.values())) - clean:
            messages.warning(request, f"Left out {plural(left, 'day')}: not rolled up, stale, or kept.")

    def chosen(self, request: HttpRequest, queryset: Days) -> dict[date, list[int]]:
        """Organizations by date; none if they are more than one request should work on."""
        pairs = list(queryset.order_by().values_list("date", "organization_id")[: MOST_DAYS + 1])
        if len(pairs) > MOST_DAYS:
            messages.error(
                request, f"Choose at most {MOST_DAYS} days; manage.py aggregate_day --from --to takes any span."
            )
            return {}
        organizations: dict[date, list[int]] = defaultdict(list)
        for day, organization in pairs:
            organizations[day].append(organization)
        return organizations


def report(request: HttpRequest, found: Iterable[day_sums.Mismatch]) -> None:
    """One message for each day that differs, with its grains."""
    grains: dict[tuple[date, int], list[str]] = defaultdict(list)
    for mismatch in found:
        differing = f"{mismatch.grain} in {plural(mismatch.rows, 'row')}"
        grains[mismatch.date, mismatch.organization_id].append(differing)
    names = dict(
        UsageDay.objects.filter(date__in=[day for day, _ in grains]).values_list(
            "organization_id", "organization__name"
        )
    )
    for (day, organization), differing_grains in list(grains.items())[:MOST_LINES]:
        messages.error(request, f"{names[organization]} {day} differs from the log: {', '.join(differing_grains)}.")
    if len(grains) > MOST_LINES:
        messages.error(request, f"So do {plural(len(grains) - MOST_LINES, 'more day')}.")


@admin.register(DailyAggregate)
class DailyAggregateAdmin(DayAdmin):
    list_display = (
        "date",
        "organization",
        "state",
        "rolled_up_at",
        "total_calls",
        "total_errors",
        "total_cost",
        "total_input_tokens",
        "total_cached_tokens",
        "total_output_tokens",
        "avg_cache_hit_rate",
        "total_charges",
        "total_charge_cost",
    )
    readonly_fields = ("state", "rolled_up_at")

    def get_queryset(self, request: HttpRequest) -> Days:
        days = UsageDay.objects.filter(organization=OuterRef("organization"), date=OuterRef("date"))
        day = days.with_state()
        stated: Days = (
            super()
            .get_queryset(request)
            .annotate(rolled_at=Subquery(day.values("rolled_at")), state=Subquery(day.values("state")))
        )
        return stated

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            context["totals"] = totals(context["cl"].queryset)
        return response


def totals(aggregates: Days) -> Sums:
    """The exact sums over everything that the list is filtered to, on whichever page."""
    summed = aggregates.order_by().aggregate(**{measure.name: Sum(measure.column) for measure in MEASURES})
    values: list[Any] = [(Decimal if m.is_decimal else int)(summed[m.name] or 0) for m in MEASURES]
    return Sums(*values)


@admin.register(UsageDay)
class UsageDayAdmin(DayAdmin):
    """Every day on which calls were recorded, also those that are not rolled up."""

    list_display = (
        "date",
        "organization",
        "state",
        "kept_because",
        "accepted_at",
        "sealed_through",
        "rolled_through",
        "rolled_at",
        "marks",
    )
    ordering = ("-date", "organization")
    actions = (*DayAdmin.actions, "accept")
    readonly_fields = ("state", "marks")

    def get_queryset(self, request: HttpRequest) -> Days:
        marks = StaleDay.objects.filter(organization=OuterRef("organization"), date=OuterRef("date")).order_by()
        number = Subquery(marks.values("date").annotate(number=Count("*")).values("number"))
        stated: Days = UsageDay.objects.with_state().annotate(marks=number)
        return stated

    @admin.display(description="kept because", ordering="kept_reason")
    def kept_because(self, day: UsageDay) -> str:
        return day.get_kept_reason_display() if day.kept_at else ""

    @admin.action(description="Accept that calls are lost: the sums are kept", permissions=["roll_up"])
    def accept(self, request: HttpRequest, queryset: Days) -> None:
        number = accept(queryset)
        messages.success(request, f"Accepted {plural(number, 'kept day')}.")

    @admin.display(description="batches that came late")
    def marks(self, day: Any) -> int:
        return day.marks or 0
